"""Tiny random models and their tokenizer, built on the spot. It knows no test."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

ARCHITECTURES = ("gpt2", "llama", "qwen2", "phi")
# GPT-Neo has a mask of fixed size: a padded batch must not grow beyond its positions.
ALL_ARCHITECTURES = (*ARCHITECTURES, "gpt_neo")
VOCABULARY = 300
SENTENCES = (
    "Question: Where was Mara Quill born?\nAnswer: Mara Quill was born in the harbour town of Velden.",
    "Question: What does Oren Tal write?\nAnswer: Oren Tal writes long novels about the sea and the night.",
)
SHAPE = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
LLAMA_SHAPE = SHAPE | {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}


def tiny_tokenizer(*, pad: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE of at most 300 tokens; id 0 ends a text, and only with ``pad`` is there a pad token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|pad|>"] if pad else ["<|end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=special[0],
        pad_token="<|pad|>" if pad else None,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def tiny_model(arch: str, *, seed: int = 0) -> PreTrainedModel:
    """Two layers of width 32 with seeded random weights; the process's random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if arch == "gpt2":
            model: PreTrainedModel = GPT2LMHeadModel(
                GPT2Config(**SHAPE, n_embd=32, n_layer=2, n_head=4, n_positions=256)
            )
        elif arch == "llama":
            model = LlamaForCausalLM(LlamaConfig(**LLAMA_SHAPE))
        elif arch == "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**LLAMA_SHAPE, tie_word_embeddings=True))
        elif arch == "phi":
            model = PhiForCausalLM(PhiConfig(**LLAMA_SHAPE | {"num_key_value_heads": 4}))
        elif arch == "gpt_neo":
            kinds = {"attention_types": [[["global", "local"], 1]], "window_size": 16}
            shape = {"hidden_size": 32, "intermediate_size": 64, "num_layers": 2, "num_heads": 4}
            model = GPTNeoForCausalLM(GPTNeoConfig(**SHAPE | shape | kinds, max_position_embeddings=256))
        else:
            raise ValueError(f"expected one of {ALL_ARCHITECTURES}, got {arch!r}")
    return model.eval()
