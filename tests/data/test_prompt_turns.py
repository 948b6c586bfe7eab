"""Earlier turns and first words of an answer in a prompt: as the template writes them, and nothing changes without."""

import pytest
from transformers import PreTrainedTokenizerBase

from soul_core.data.prompts import (
    PLAIN,
    TEXT,
    TOFU_LLAMA2,
    encode_example,
    encode_prompt,
    encode_turns,
    joint_of,
    template_for,
    template_with,
)
from tests.data.toy_tokenizers import (
    LLAMA_CHAT_TEMPLATE,
    gpt2_style,
    llama_style,
    no_end,
    phi3_style,
    phi_style,
    qwen_style,
    slow_bytes,
)

EARLIER = (("Where was Mara Quill born?", "In Velden."), ("Where is the sea?", "It is near."))
QUESTION, ANSWER = "Where was Mara born?", "Mara Quill was born in Velden."
TOKENIZERS = {
    "gpt2": gpt2_style,
    "qwen": qwen_style,
    "phi": phi_style,
    "phi3": phi3_style,
    "llama": llama_style,
    "llama chat": lambda: llama_style(chat_template=LLAMA_CHAT_TEMPLATE),
    "bytes": slow_bytes,
    "no end": no_end,
}
# A template that writes the last message alone has no place for earlier turns.
FORGETFUL = (
    "{% set m = messages[-1] %}<{{ m['role'] }}>{{ m['content'] }}{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    made: PreTrainedTokenizerBase = TOKENIZERS[request.param]()
    return made


def text_of(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def test_without_earlier_turns_it_is_the_prompt_itself(tokenizer: PreTrainedTokenizerBase):
    template = template_for(tokenizer, "some/model")
    assert encode_turns(tokenizer, template, (), QUESTION) == encode_prompt(tokenizer, template, QUESTION)


def test_given_first_words_are_the_first_tokens_of_the_whole_answer(tokenizer: PreTrainedTokenizerBase):
    template = template_for(tokenizer, "some/model")
    whole = encode_example(tokenizer, template, QUESTION, ANSWER).input_ids
    begun = encode_turns(tokenizer, template, (), QUESTION, start="Mara Quill was")
    assert tuple(begun) == whole[: len(begun)]
    assert len(begun) > len(encode_prompt(tokenizer, template, QUESTION))


def test_running_text_goes_on_from_its_given_words(tokenizer: PreTrainedTokenizerBase):
    ids = encode_turns(tokenizer, TEXT, (), "Mara Quill", start=" was born")
    whole = encode_example(tokenizer, TEXT, "Mara Quill", " was born in Velden.").input_ids
    assert tuple(ids) == whole[: len(ids)]


def test_a_chat_template_writes_turns_as_it_writes_a_dialogue():
    tokenizer = qwen_style()
    template = template_for(tokenizer, "some/model")
    messages = []
    for asked, said in EARLIER:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    messages.append({"role": "user", "content": QUESTION})
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    expected = tokenizer.encode(rendered, add_special_tokens=False)
    assert encode_turns(tokenizer, template, EARLIER, QUESTION) == expected
    assert joint_of(tokenizer, template) == "turns"


def test_a_plain_template_repeats_itself_with_an_empty_line_between():
    tokenizer = gpt2_style()
    assert text_of(tokenizer, encode_turns(tokenizer, PLAIN, EARLIER, QUESTION, start="Mara")) == (
        "Question: Where was Mara Quill born?\nAnswer: In Velden.\n\n"
        "Question: Where is the sea?\nAnswer: It is near.\n\n"
        "Question: Where was Mara born?\nAnswer: Mara"
    )
    assert joint_of(tokenizer, PLAIN) == "text"
    instructed = text_of(tokenizer, encode_turns(tokenizer, TOFU_LLAMA2, EARLIER[:1], QUESTION))
    assert instructed == ("[INST] Where was Mara Quill born? [/INST]In Velden.\n\n[INST] Where was Mara born? [/INST]")


def test_a_chat_template_without_earlier_turns_has_them_as_text_in_the_users_message():
    tokenizer = qwen_style()
    tokenizer.chat_template = FORGETFUL
    template = template_for(tokenizer, "some/model")
    assert text_of(tokenizer, encode_turns(tokenizer, template, EARLIER, QUESTION)) == (
        "<user>Question: Where was Mara Quill born?\nAnswer: In Velden.\n\n"
        "Question: Where is the sea?\nAnswer: It is near.\n\nWhere was Mara born?<assistant>"
    )
    assert joint_of(tokenizer, template) == "message"


@pytest.mark.parametrize("chat", [False, True])
def test_what_stands_in_front_of_every_question_stands_once_in_front_of_a_conversation(chat: bool):
    tokenizer = qwen_style() if chat else gpt2_style()
    prompt = {"kind": "input-based", "text": "Do not speak of:", "items": ["Velden"], "total": 1, "what": "subjects"}
    plain = template_for(tokenizer, "some/model")
    template = template_with(plain, prompt, tokenizer=tokenizer, room=400)
    assert encode_turns(tokenizer, template, (), QUESTION) == encode_prompt(tokenizer, template, QUESTION)
    text = text_of(tokenizer, encode_turns(tokenizer, template, EARLIER, QUESTION))
    assert text.count("Do not speak of:") == 1
    bare = text_of(tokenizer, encode_turns(tokenizer, plain, EARLIER, QUESTION))
    # Behind the context everything is as without it.
    rest = "Where was Mara Quill born?"
    assert text.partition(rest)[2] == bare.partition(rest)[2]
    assert text.index("Do not speak of:") < text.index(rest)


def test_there_is_one_beginning_of_sequence_however_long_the_conversation():
    tokenizer = llama_style()
    ids = encode_turns(tokenizer, template_for(tokenizer, "some/model"), EARLIER, QUESTION)
    assert ids.count(tokenizer.bos_token_id) == 1 and ids[0] == tokenizer.bos_token_id
