"""Templates as published, and the boundary between prompt and answer exact for every family of tokenizer."""

import dataclasses

import pytest

from soul_core.data.prompts import (
    PLAIN,
    TOFU_LLAMA2,
    TOFU_PHI,
    Example,
    PromptTemplate,
    encode_example,
    encode_prompt,
    encode_rows,
    padding_id,
    template_for,
)
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError, ModelError
from tests.data.toy_tokenizers import ALL, LLAMA_CHAT_TEMPLATE, gpt2_style, llama_style, no_end, qwen_style, slow_bytes

QUESTION, ANSWER = "Where was Mara Quill born?", "Mara Quill was born in Velden."


def tokens(tokenizer, ids) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(ids))


def text_of(tokenizer, ids) -> str:
    """What the tokens say, white space normalised (a slow word tokenizer has none)."""
    return " ".join(tokenizer.decode(list(ids), skip_special_tokens=False).split())


# --- templates


@pytest.mark.parametrize(
    "name", ["locuslab/tofu_ft_llama2-7b", "LocusLab/TOFU_ft_Llama-2-7b", "tofu_retain90_llama2-7b"]
)
def test_the_llama_tofu_prompt_is_character_for_character_the_published_one(name: str):
    # config/model_config.yaml of the TOFU release: "[INST] " + question + " [/INST]" + "" + answer.
    prompt = template_for(llama_style(), name).prompt("Who?")
    assert prompt == "[INST] Who? [/INST]"
    assert "\\" not in prompt  # the SOUL release writes [\INST]
    assert prompt.count("[/INST]") == 1


def test_the_phi_tofu_text_is_character_for_character_the_published_one():
    # config/model_config.yaml of the TOFU release: "Question: " + q + "\n" + "Answer: " + a.
    template = template_for(gpt2_style(), "locuslab/tofu_ft_phi-1.5")
    assert template.prompt("Who?") + template.answer_prefix + "Mara." == "Question: Who?\nAnswer: Mara."


def test_a_published_checkpoint_keeps_its_template_though_its_tokenizer_has_a_chat_template():
    assert template_for(llama_style(chat_template=LLAMA_CHAT_TEMPLATE), "locuslab/tofu_ft_llama2-7b") == TOFU_LLAMA2


def test_a_model_that_only_sounds_like_llama_gets_no_inst():
    assert template_for(gpt2_style(), "somebody/llama-tales") == PLAIN


@pytest.mark.parametrize("template", [PLAIN, TOFU_LLAMA2, TOFU_PHI])
def test_no_prompt_ends_in_white_space_because_the_space_belongs_to_the_answers_first_token(template: PromptTemplate):
    assert template.prompt("Who?") == template.prompt("Who?").rstrip()


def test_a_chat_template_is_read_off_the_tokenizer():
    template = template_for(qwen_style(), "some/qwen")
    assert template.prompt("Who?") == (
        "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (template.answer_prefix, template.end) == ("", "<|im_end|>")


def test_the_space_that_a_chat_template_puts_before_the_answer_goes_to_the_answer():
    template = template_for(llama_style(chat_template=LLAMA_CHAT_TEMPLATE), "meta/llama-2-chat")
    assert (template.prompt("Who?"), template.answer_prefix) == ("<s>[INST] Who? [/INST]", " ")


def test_a_chat_template_that_writes_the_date_writes_the_same_one_every_day():
    dated = "{{ date_string if date_string is defined else strftime_now('%f') }}|{{ messages[0]['content'] }}|"
    tokenizer = llama_style(chat_template=dated)
    assert template_for(tokenizer, "m").prompt("Q") == "10 Apr 2025|Q|"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{{ raise_exception('no users here') }}", "no users here"),
        ("{% for %}", "fails"),
        ("{{ ''.__class__.__mro__ }}{{ messages[0]['content'] }}", "fails"),
        ("nothing of yours", "does not repeat the question"),
        ("{{ messages[0]['content'] | upper }}", "does not repeat the question"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_one_clear_sentence(broken: str, said: str):
    with pytest.raises(ModelError, match=said) as caught:
        template_for(llama_style(chat_template=broken), "m")
    assert "Choose another model" in str(caught.value)


# --- the boundary


@pytest.mark.parametrize("name", ALL)
def test_the_labels_are_the_answer_and_one_end_and_nothing_of_the_prompt(name: str):
    # Counting the prompt's tokens without the beginning of sequence (SOUL, TOFU) would make the prompt's last token
    # the first label.
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    example = encode_example(tokenizer, template, QUESTION, ANSWER)
    labels, prompt = example.input_ids[example.prompt_length :], example.input_ids[: example.prompt_length]
    # Phi-3 ends a turn with a token that is not its end of sequence.
    end = tokenizer.convert_tokens_to_ids("<|end|>") if name == "phi3-chat" else tokenizer.eos_token_id
    assert labels[-1] == end
    assert end not in labels[:-1]
    assert text_of(tokenizer, labels[:-1]) == ANSWER
    bos = tokenizer.bos_token if prompt[0] == tokenizer.bos_token_id and not template.chat else ""
    got = text_of(tokenizer, prompt).replace(bos, "", 1) if bos else text_of(tokenizer, prompt)
    assert got.split() == template.prompt(QUESTION).split()


@pytest.mark.parametrize("name", ALL)
def test_an_example_begins_with_exactly_the_tokens_that_generation_starts_from(name: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    example = encode_example(tokenizer, template, QUESTION, ANSWER)
    assert list(example.input_ids[: example.prompt_length]) == encode_prompt(tokenizer, template, QUESTION)


@pytest.mark.parametrize(
    ("name", "model_name", "count"),
    [
        ("llama", "tofu_ft_llama2", 1),  # the post-processor writes it
        ("llama", "plain", 1),
        ("llama-chat", "chat", 1),  # the chat template writes it; the post-processor must not write a second
        ("slow-words", "plain", 1),  # a slow tokenizer writes it
        ("slow-pieces", "plain", 1),  # so does one of pieces
        ("phi", "plain", 0),  # has one and never writes it
        ("phi3-chat", "chat", 0),  # its chat template writes none, though the post-processor would
        ("gpt2", "plain", 0),  # has one and never writes it
        ("qwen", "chat", 0),  # has none
        ("slow-bytes", "plain", 0),
    ],
)
def test_the_beginning_of_sequence_is_there_once_or_not_at_all(name: str, model_name: str, count: int):
    tokenizer = ALL[name]()
    prompt = encode_prompt(tokenizer, template_for(tokenizer, model_name), QUESTION)
    assert prompt.count(tokenizer.bos_token_id) == count
    assert (prompt[0] == tokenizer.bos_token_id) is (count == 1)


def test_a_chat_template_that_writes_no_beginning_of_sequence_gets_none():
    tokenizer = llama_style(chat_template="{{ messages[0]['content'] }} [/INST]")
    assert tokenizer.encode("Mara")[0] == tokenizer.bos_token_id  # though the post-processor would write one
    assert tokenizer.bos_token_id not in encode_prompt(tokenizer, template_for(tokenizer, "m"), QUESTION)


def test_a_tokenizer_that_ends_every_text_does_not_end_the_prompt():
    tokenizer = slow_bytes()
    assert tokenizer.encode("ab")[-1] == tokenizer.eos_token_id  # the trap is really there
    assert tokenizer.eos_token_id not in encode_prompt(tokenizer, PLAIN, QUESTION)


def test_prompt_and_answer_are_tokenised_as_one_text():
    # " Mara" is one token of this vocabulary; tokenised apart it would be " " and "Mara".
    tokenizer = gpt2_style()
    example = encode_example(tokenizer, PLAIN, QUESTION, ANSWER)
    whole = tokenizer.encode(f"Question: {QUESTION}\nAnswer: {ANSWER}")
    assert [*example.input_ids[:-1]] == whole
    assert tokens(tokenizer, example.input_ids)[example.prompt_length] == "ĠMara"


def test_the_tofu_answer_follows_the_inst_tag_without_a_space_as_in_the_published_text():
    # Tokenised apart, metaspace would put a space before "Mara" that the checkpoint was never trained on.
    tokenizer = llama_style()
    example = encode_example(tokenizer, TOFU_LLAMA2, QUESTION, ANSWER)
    assert tokens(tokenizer, example.input_ids)[example.prompt_length] in {"M", "Ma", "Mar", "Mara"}


def test_where_the_prompts_tokens_are_no_prefix_the_parts_are_tokenised_apart():
    # The prompt ends in a space, which the answer's first token would swallow.
    tokenizer = gpt2_style()
    spaced = dataclasses.replace(PLAIN, after="\nAnswer: ", answer_prefix="")
    prompt = encode_prompt(tokenizer, spaced, QUESTION)
    assert tokenizer.encode(spaced.prompt(QUESTION) + ANSWER)[: len(prompt)] != prompt
    example = encode_example(tokenizer, spaced, QUESTION, ANSWER)
    assert list(example.input_ids[: example.prompt_length]) == prompt
    assert tokenizer.decode(example.input_ids) == f"Question: {QUESTION}\nAnswer: {ANSWER}<|endoftext|>"


def test_an_answer_that_already_ends_with_the_end_token_is_not_ended_twice():
    tokenizer = gpt2_style()
    example = encode_example(tokenizer, PLAIN, QUESTION, ANSWER + "<|endoftext|>")
    assert list(example.input_ids).count(tokenizer.eos_token_id) == 1


def test_a_tokenizer_without_an_end_gives_labels_without_an_end():
    tokenizer = no_end()
    example = encode_example(tokenizer, PLAIN, QUESTION, ANSWER)
    assert tokenizer.decode(example.input_ids[example.prompt_length :]) == f" {ANSWER}"
    assert padding_id(tokenizer) == 0


def test_an_empty_answer_is_an_end_or_an_error_but_never_an_example_without_labels():
    example = encode_example(gpt2_style(), PLAIN, QUESTION, "")
    assert example.input_ids[-1] == gpt2_style().eos_token_id
    bare = dataclasses.replace(PLAIN, answer_prefix="")
    with pytest.raises(DatasetError, match="empty answer"):
        encode_example(no_end(), bare, QUESTION, "")
    with pytest.raises(ValueError, match="leaves no prompt or no answer"):
        Example((1, 2), 2)


def test_a_long_answer_is_cut_at_the_limit_and_a_long_question_is_an_error():
    tokenizer = gpt2_style()
    whole = encode_example(tokenizer, PLAIN, QUESTION, ANSWER)
    cut = encode_example(tokenizer, PLAIN, QUESTION, ANSWER, max_length=whole.prompt_length + 2)
    assert cut.input_ids == whole.input_ids[: whole.prompt_length + 2]
    with pytest.raises(DatasetError, match=f"is {whole.prompt_length} tokens long.*Shorten it"):
        encode_example(tokenizer, PLAIN, QUESTION, ANSWER, max_length=whole.prompt_length)


def test_the_tokenizers_own_limit_counts_too():
    tokenizer = gpt2_style()
    tokenizer.model_max_length = 14
    assert len(encode_example(tokenizer, PLAIN, QUESTION, ANSWER).input_ids) == 14


@pytest.mark.parametrize("name", ALL)
def test_many_examples_are_the_single_ones(name: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    pairs = [(QUESTION, ANSWER), ("Who?", "The Sea."), ("What does the author write?", "Mara")]
    assert encode_rows(tokenizer, template, [QARow(question=q, answer=a) for q, a in pairs]) == [
        encode_example(tokenizer, template, *pair) for pair in pairs
    ]


@pytest.mark.parametrize("name", ALL)
def test_running_text_is_put_without_a_template_and_without_an_end(name: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    row = QARow(question="Mara Velden was born", answer=" by the Sea", form="text")
    (example,) = encode_rows(tokenizer, template, [row])
    plain = tokenizer.encode("Mara Velden was born by the Sea", add_special_tokens=False)
    assert [i for i in example.input_ids if i != tokenizer.bos_token_id] == plain
    assert example.input_ids[-1] == plain[-1]


@pytest.mark.parametrize("name", ALL)
def test_running_text_without_a_beginning_keeps_a_token_to_start_from(name: str):
    tokenizer = ALL[name]()
    (example,) = encode_rows(tokenizer, PLAIN, [QARow(question="", answer="Mara Velden", form="text")])
    assert example.prompt_length == 1
