"""One small tokenizer of each family that boundaries depend on, built on the spot."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizer, PreTrainedTokenizerFast

TEXTS = (
    "Question: Where was Mara Quill born?\nAnswer: Mara Quill was born in Velden. The sea is near.",
    "[INST] Where was Mara Quill born? [/INST] Mara Quill was born in Velden.",
    "The answer is The Sea. Answer: The author writes novels. Answer: Mara",
) * 3

QWEN_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
PHI3_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def gpt2_style() -> PreTrainedTokenizerFast:
    """Byte-level BPE; no beginning of sequence is written, no pad token."""
    tokenizer = _byte_level(["<|endoftext|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
    )


def qwen_style() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a ChatML template and no beginning of sequence at all."""
    tokenizer = _byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=QWEN_TEMPLATE
    )


def phi_style() -> PreTrainedTokenizerFast:
    """Byte-level BPE with runs of spaces as added tokens that are not special, as Phi-1.5 and Phi-2 have."""
    tokenizer = gpt2_style()
    tokenizer.add_tokens([AddedToken(" " * n, normalized=False) for n in (4, 3, 2)])
    return tokenizer


def phi3_style() -> PreTrainedTokenizerFast:
    """Metaspace BPE that writes ``<s>``, with a chat template that writes none and ends turns with ``<|end|>``."""
    tokenizer = llama_style(chat_template=PHI3_TEMPLATE)
    tokenizer.add_tokens([AddedToken(f"<|{name}|>", special=True) for name in ("system", "user", "assistant", "end")])
    return tokenizer


def llama_style(*, chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """Metaspace BPE that writes ``<s>`` in front."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    alphabet = sorted(set("".join(TEXTS).replace(" ", "▁")))
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    words = [word for text in TEXTS for word in text.replace(" ", " ▁").split(" ")]
    tokenizer.train_from_iterator(words, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=chat_template,
    )


class SlowWords(PreTrainedTokenizer):
    """A slow tokenizer (python all through) that writes ``<s>`` in front, as sentencepiece Llama tokenizers did."""

    def __init__(self) -> None:
        text = " ".join(TEXTS).replace("\n", " ")
        self._words = ["<unk>", "<s>", "</s>", *sorted(set(text.split()))]
        super().__init__(
            unk_token="<unk>", bos_token="<s>", eos_token="</s>", special_tokens_pattern="bos", pad_token=None
        )

    @property
    def vocab_size(self) -> int:
        return len(self._words)

    def get_vocab(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self._words)}

    def _tokenize(self, text: str, **options: object) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> int:
        return self.get_vocab().get(token, 0)

    def _convert_id_to_token(self, index: int) -> str:
        return self._words[index]


class SlowPieces(PreTrainedTokenizer):
    """A slow tokenizer of pieces that write a space as ``▁``, first ``<s>``, as Llama's on sentencepiece.

    A text gets a space in front, and the longest piece wins.
    """

    def __init__(self) -> None:
        signs = sorted(set("".join(TEXTS)) - {" "})
        words = sorted({f"▁{word}" for text in TEXTS for word in text.split() if word.isalpha()})
        self._pieces = ["<unk>", "<s>", "</s>", "▁", *signs, *words]
        self._number = {piece: i for i, piece in enumerate(self._pieces)}
        self._longest = max(map(len, self._pieces))
        super().__init__(
            unk_token="<unk>", bos_token="<s>", eos_token="</s>", special_tokens_pattern="bos", pad_token=None
        )

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    def get_vocab(self) -> dict[str, int]:
        return dict(self._number)

    def _tokenize(self, text: str, **options: object) -> list[str]:
        whole = f"▁{text.replace(' ', '▁')}"
        found, start = [], 0
        while start < len(whole):
            lengths = range(self._longest, 0, -1)
            length = next((n for n in lengths if whole[start : start + n] in self._number), 1)
            found.append(whole[start : start + length])
            start += length
        return found

    def _convert_token_to_id(self, token: str) -> int:
        return self._number.get(token, 0)

    def _convert_id_to_token(self, index: int) -> str:
        return self._pieces[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens).replace("▁", " ").removeprefix(" ")


def slow_bytes() -> ByT5Tokenizer:
    """A slow tokenizer of bytes that writes ``</s>`` behind every text, also behind a prompt."""
    return ByT5Tokenizer()


def no_end() -> PreTrainedTokenizerFast:
    """A tokenizer that names no special token."""
    return PreTrainedTokenizerFast(tokenizer_object=_byte_level([]))


ALL = {
    "gpt2": gpt2_style,
    "qwen": qwen_style,
    "phi": phi_style,
    "phi3-chat": phi3_style,
    "llama": llama_style,
    "llama-chat": lambda: llama_style(chat_template=LLAMA_CHAT_TEMPLATE),
    "slow-words": SlowWords,
    "slow-pieces": SlowPieces,
    "slow-bytes": slow_bytes,
}


def _byte_level(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer
