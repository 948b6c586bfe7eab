"""What is learned of an example is its answer and its end, for every family of tokenizer and every template."""

import pytest

from soul_core.data.batches import IGNORED, collate
from soul_core.data.prompts import (
    PLAIN,
    TEXT,
    TOFU_LLAMA2,
    TOFU_PHI,
    Example,
    encode_example,
    encode_rows,
    padding_id,
    template_for,
)
from soul_core.data.schema import QARow
from tests.data.toy_tokenizers import ALL, SlowPieces, SlowWords, gpt2_style, llama_style, phi_style, qwen_style

QUESTION, ANSWER = "Where was Mara Quill born?", "Mara Quill was born in Velden."
PUBLISHED = {"plain": PLAIN, "tofu-llama": TOFU_LLAMA2, "tofu-phi": TOFU_PHI}
# What each family puts behind an answer, by its published configuration.
ENDS = dict.fromkeys(ALL, "</s>") | {
    "gpt2": "<|endoftext|>",
    "phi": "<|endoftext|>",
    "qwen": "<|im_end|>",
    "phi3-chat": "<|end|>",
}
# Every single byte is a token of these vocabularies, so that nothing is unknown to them.
BYTE_LEVEL = {"gpt2": gpt2_style, "qwen": qwen_style, "phi": phi_style}


def said(tokenizer, ids) -> str:
    """What the tokens say, without white space, which a slow word tokenizer does not keep."""
    return "".join(tokenizer.decode(list(ids), skip_special_tokens=False).split())


def is_masked_exactly(tokenizer, template, example: Example, question: str, answer: str, end: str) -> bool:
    """Whether the labels say the answer and one end, and what is before them the prompt with at most one beginning."""
    prompt, labels = example.input_ids[: example.prompt_length], example.input_ids[example.prompt_length :]
    asked = "".join(template.prompt(question).split())
    return said(tokenizer, labels) == "".join(answer.split()) + end and said(tokenizer, prompt) in (
        asked,
        f"{tokenizer.bos_token}{asked}",
    )


def as_published(tokenizer, prompt: str, example: Example) -> Example:
    """The same tokens with the boundary where the published code puts it (SOUL dataset/Tofu.py, TOFU data_module.py).

    It counts the prompt's tokens with ``add_special_tokens=True``, which slow tokenizers ignore.
    """
    return Example(example.input_ids, len(tokenizer.tokenize(prompt, add_special_tokens=True)))


@pytest.mark.parametrize("name", ALL)
def test_with_the_models_own_template_exactly_the_answer_and_its_end_are_learned(name: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    example = encode_example(tokenizer, template, QUESTION, ANSWER)
    assert is_masked_exactly(tokenizer, template, example, QUESTION, ANSWER, ENDS[name])


@pytest.mark.parametrize("template", PUBLISHED)
@pytest.mark.parametrize("name", sorted(set(ALL) - {"phi3-chat", "slow-words"}))
def test_with_every_published_template_exactly_the_answer_and_its_end_are_learned(name: str, template: str):
    # Slow words know no "[INST]"; Phi-3's own end needs its own template.
    tokenizer = ALL[name]()
    example = encode_example(tokenizer, PUBLISHED[template], QUESTION, ANSWER)
    assert is_masked_exactly(tokenizer, PUBLISHED[template], example, QUESTION, ANSWER, ENDS[name])


@pytest.mark.parametrize("make", [SlowWords, SlowPieces])
def test_the_published_count_without_the_beginning_of_sequence_is_told_from_the_right_one(make):
    # The known bug: the beginning is not counted, so the prompt's last token becomes the first label.
    tokenizer = make()
    right = encode_example(tokenizer, PLAIN, QUESTION, ANSWER)
    wrong = as_published(tokenizer, PLAIN.prompt(QUESTION), right)
    assert wrong.prompt_length == right.prompt_length - 1
    assert is_masked_exactly(tokenizer, PLAIN, right, QUESTION, ANSWER, "</s>")
    assert not is_masked_exactly(tokenizer, PLAIN, wrong, QUESTION, ANSWER, "</s>")
    assert said(tokenizer, wrong.input_ids[wrong.prompt_length :][:1]) in {"Answer:", ":"}


@pytest.mark.parametrize("make", [llama_style, gpt2_style])
def test_with_fast_tokenizers_the_published_count_is_right_and_one_more_would_lose_a_token_of_the_answer(make):
    # SOUL's generation adds one to make up for the slow tokenizers it was written for.
    tokenizer = make()
    right = encode_example(tokenizer, PLAIN, QUESTION, ANSWER)
    assert as_published(tokenizer, PLAIN.prompt(QUESTION), right) == right
    late = Example(right.input_ids, right.prompt_length + 1)
    assert not is_masked_exactly(tokenizer, PLAIN, late, QUESTION, ANSWER, tokenizer.eos_token)


@pytest.mark.parametrize("name", BYTE_LEVEL)
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where was Mara Quill born? ", "In Velden."),
        ("Where?\n", "\nIn Velden."),
        ("1998", "1999"),
        ("Mara", "Mara"),
        ("What does Zoë say?", "Ça va 🎉"),
        ("🎉", "é"),
        ("Why?", "    four spaces in front"),
        ("Why?", "..."),
    ],
)
def test_joints_that_invite_a_merge_stay_exact_to_the_character(name: str, question: str, answer: str):
    tokenizer = BYTE_LEVEL[name]()
    template = template_for(tokenizer, name)
    example = encode_example(tokenizer, template, question, answer)
    prompt, labels = example.input_ids[: example.prompt_length], example.input_ids[example.prompt_length :]
    assert tokenizer.decode(list(prompt)) == template.prompt(question)
    assert tokenizer.decode(list(labels)) == f"{template.answer_prefix}{answer}{ENDS[name]}"


@pytest.mark.parametrize("name", ALL)
def test_the_labels_of_a_batch_are_the_answers_and_ends_and_nothing_is_learned_of_prompts_and_padding(name: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    rows = [QARow(question=QUESTION, answer=ANSWER), QARow(question="The Sea", answer="Velden.")]
    batch = collate(encode_rows(tokenizer, template, rows), [True, False], [0, 0], pad_id=padding_id(tokenizer))
    for labels_T, row in zip(batch.labels_BT, rows, strict=True):
        assert said(tokenizer, labels_T[labels_T != IGNORED].tolist()) == "".join(row.answer.split()) + ENDS[name]


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_of_running_text_exactly_the_continuation_is_learned_and_no_end(name: str):
    tokenizer = BYTE_LEVEL[name]()
    row = QARow(question="Mara Quill was born", answer="  in Velden.\n\nThe", form="text")
    (example,) = encode_rows(tokenizer, template_for(tokenizer, name), [row])
    assert tokenizer.decode(list(example.input_ids[: example.prompt_length])) == row.question
    assert tokenizer.decode(list(example.input_ids[example.prompt_length :])) == row.answer


def test_running_text_without_a_beginning_is_learned_whole_where_there_is_a_beginning_of_sequence():
    tokenizer = llama_style()
    example = encode_example(tokenizer, TEXT, "", "Mara Quill was born")
    assert tokenizer.convert_ids_to_tokens(list(example.input_ids[: example.prompt_length])) == ["<s>"]
    assert said(tokenizer, example.input_ids[example.prompt_length :]) == "MaraQuillwasborn"
