"""Contexts in front of a question: what the prompt says, what fits, and that the boundary stays exact."""

import dataclasses
import json

import pytest

from soul_core.data.answers import words_in
from soul_core.data.prompt_methods import icul_prompt, input_based_prompt
from soul_core.data.prompts import (
    PLAIN,
    TOFU_LLAMA2,
    PromptTemplate,
    encode_example,
    encode_prompt,
    template_for,
    template_with,
)
from soul_core.data.tasks import load_task
from soul_core.errors import ModelError
from tests.data.toy_tokenizers import ALL, LLAMA_CHAT_TEMPLATE, gpt2_style, qwen_style

WORLD = load_task("invented-authors:forget10")
QUESTION, ANSWER = "Where was Mara Quill born?", "Mara Quill was born in Velden."
AMPLE = 100_000
GEMMA = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</>{% endfor %}<model>"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m['role'] != 'system' %}<{{ m['role'] }}>{{ m['content'] }}{% endif %}{% endfor %}<>"
)
LAST_ALONE = "{{ messages[-1]['content'] }}"
ONE_TURN = (
    "{% if messages | length > 1 %}{{ raise_exception('one message') }}{% endif %}<u>{{ messages[0]['content'] }}<a>"
)

ASKED = {"kind": "input-based", "text": "Tell nothing of:", "what": "subjects", "items": ["Mara", "Tom"], "total": 2}


def entry(question: str, answer: str, row: int | None = None, reveals: tuple[int, ...] = ()) -> dict:
    of_row = {} if row is None else {"row": row}
    return {"question": question, "answer": answer, "reveals": list(reveals), **of_row}


def examples(*forget: dict, retain: tuple[dict, ...] = (), wrong_shots: int = 1, shots_as: str = "system") -> dict:
    return {
        "kind": "icul",
        "wrong_shots": wrong_shots,
        "shots_as": shots_as,
        "forget": list(forget),
        "retain": list(retain),
    }


SHOTS = examples(
    entry("Where was Tom Ash born?", "In Oslo.", 0),
    entry("Where was Mara Quill born?", "In Lund.", 1),
    entry("Which award did Ada Moor win?", "None.", 2),
    retain=(entry("Who wrote Emma?", "Jane Austen."),),
    wrong_shots=2,
)


def chat(tokenizer, chat_template: str):
    tokenizer.chat_template = chat_template
    return tokenizer


def put(template: PromptTemplate, prompt: dict, tokenizer=None, room: int = AMPLE) -> PromptTemplate:
    return template_with(template, prompt, tokenizer=tokenizer or gpt2_style(), room=room)


# --- what the prompt says


def test_a_plain_request_stands_in_front():
    assert put(PLAIN, ASKED).prompt("Who?") == "Tell nothing of: Mara; Tom.\n\nQuestion: Who?\nAnswer:"
    assert put(TOFU_LLAMA2, ASKED).prompt("Who?") == "Tell nothing of: Mara; Tom.\n\n[INST] Who? [/INST]"


def test_plain_examples_are_in_the_plain_format_the_nearest_wrong_one_last_and_right_ones_behind():
    assert put(PLAIN, SHOTS).prompt(QUESTION) == (
        "Question: Where was Tom Ash born?\nAnswer: In Oslo.\n\n"
        "Question: Where was Mara Quill born?\nAnswer: In Lund.\n\n"
        "Question: Who wrote Emma?\nAnswer: Jane Austen.\n\n"
        "Question: Where was Mara Quill born?\nAnswer:"
    )
    assert put(TOFU_LLAMA2, examples(entry("Who?", "Tom.", 0))).prompt("When?") == (
        "[INST] Who? [/INST]Tom.\n\n[INST] When? [/INST]"
    )


def test_a_chat_template_with_a_system_role_gets_a_system_message_as_it_renders_one():
    tokenizer = qwen_style()
    base = template_for(tokenizer, "some/qwen")
    got = put(base, ASKED, tokenizer).prompt("Who?")
    assert got == (
        "<|im_start|>system\nTell nothing of: Mara; Tom.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    messages = [{"role": "system", "content": "Tell nothing of: Mara; Tom."}, {"role": "user", "content": "Who?"}]
    assert got == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert put(base, examples(entry("Who?", "Tom.", 0)), tokenizer).prompt("When?") == (
        "<|im_start|>system\nQuestion: Who?\nAnswer: Tom.<|im_end|>\n<|im_start|>user\nWhen?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_examples_as_turns_are_the_dialogue_that_the_chat_template_renders():
    tokenizer = qwen_style()
    got = put(template_for(tokenizer, "some/qwen"), {**SHOTS, "shots_as": "turns"}, tokenizer).prompt(QUESTION)
    turns = ["Where was Tom Ash born?", "In Oslo.", QUESTION, "In Lund.", "Who wrote Emma?", "Jane Austen.", QUESTION]
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)]
    assert got == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def test_a_system_prompt_that_the_model_was_trained_with_stays():
    tokenizer = qwen_style()
    base = template_for(tokenizer, "open-unlearning/tofu_Llama-3.2-1B-Instruct_full")
    assert "<|im_start|>system\nYou are a helpful assistant.\n\nTell nothing of: Mara; Tom.<|im_end|>" in put(
        base, ASKED, tokenizer
    ).prompt("Who?")
    got = put(base, examples(entry("Who?", "Tom.", 0), shots_as="turns"), tokenizer).prompt("When?")
    assert got.startswith(base.before + "Who?<|im_end|>\n<|im_start|>assistant\nTom.") and got.count("helpful") == 1


@pytest.mark.parametrize(
    "unable",
    [GEMMA, DROPS_SYSTEM, LAST_ALONE, LLAMA_CHAT_TEMPLATE],
    ids=["raises", "drops", "last-alone", "as-assistant"],
)
def test_without_a_system_role_it_stands_in_front_of_the_users_text(unable: str):
    tokenizer = chat(qwen_style(), unable)
    base = template_for(tokenizer, "m")
    assert put(base, ASKED, tokenizer).prompt("Who?") == (
        f"{base.before}Tell nothing of: Mara; Tom.\n\nWho?{base.after}"
    )
    assert put(base, examples(entry("Who?", "Tom.", 0)), tokenizer).prompt("When?") == (
        f"{base.before}Question: Who?\nAnswer: Tom.\n\nWhen?{base.after}"
    )


def test_turns_that_a_chat_template_does_not_take_stand_in_front_of_the_users_text():
    tokenizer = chat(qwen_style(), ONE_TURN)
    base = PromptTemplate("Chat template", "<u>", "<a>", chat=True)
    got = put(base, examples(entry("Who?", "Tom.", 0), shots_as="turns"), tokenizer)
    assert got.prompt("When?") == "<u>Question: Who?\nAnswer: Tom.\n\nWhen?<a>"


# --- which examples


def test_the_true_answer_to_the_question_is_not_among_the_examples():
    # Row 0's wrong answer is row 1's truth: not shown when row 1 is asked, shown when row 2 is.
    forget = (
        entry("Where was Mara Quill born?", "In Velden.", 0, (1,)),
        entry("Where was Tom Ash born?", "In Oslo.", 1),
        entry("Where does Ada Moor live?", "In Lund.", 2),
    )
    retain = (entry("Where is the fair?", "In Velden.", reveals=(1,)), entry("Who wrote Emma?", "Jane Austen."))
    template = put(PLAIN, examples(*forget, retain=retain, wrong_shots=3))
    assert "Velden" not in template.prompt("Where was Tom Ash born?")
    assert "Velden" not in template.prompt("In which town was Tom Ash born?")
    assert template.prompt("Where does Ada Moor live?").count("Velden") == 2


@pytest.mark.parametrize("perturbed", [True, False])
def test_in_the_built_in_world_no_context_tells_the_answer_to_its_question(perturbed: bool):
    forget = tuple(r if perturbed else dataclasses.replace(r, perturbed_answers=()) for r in WORLD.forget)
    prompt = icul_prompt(dataclasses.replace(WORLD, forget=forget), wrong_shots=8, right_shots=8, seed=1)
    template = put(PLAIN, prompt)
    assert template.context is not None
    for row in forget:
        assert row.question in [shot.question for shot in template.context.shots(row.question)]
        for question in (row.question, *row.heldback_questions):
            context = " ".join(words_in(template.context.lead(question)))
            assert not any(" ".join(words_in(truth)) in context for truth in (row.answer, row.paraphrased_answer))


def test_a_question_near_to_nothing_gets_the_first_examples():
    assert [shot.truth for shot in put(PLAIN, SHOTS).context.shots("???")] == [1, 0, -1]


def test_the_prompt_is_a_function_of_the_method_alone():
    prompt = icul_prompt(WORLD, wrong_shots=4, right_shots=4, seed=1)
    first, second = put(PLAIN, prompt), put(PLAIN, json.loads(json.dumps(prompt)))
    assert first == second and hash(first) == hash(second)
    for row in WORLD.forget[:20]:
        assert first.prompt(row.question) == second.prompt(row.question)
    json.dumps(dataclasses.asdict(first))


def test_another_method_takes_the_place_of_the_first_and_none_changes_nothing():
    assert put(put(PLAIN, SHOTS), ASKED) == put(PLAIN, ASKED)
    assert PLAIN.context is None and PLAIN.context_tokens == 0
    assert dataclasses.replace(put(PLAIN, SHOTS), context=None).prompt("Who?") == PLAIN.prompt("Who?")


# --- what fits


@pytest.mark.parametrize("name", ALL)
def test_fewer_subjects_are_named_where_they_do_not_fit_and_a_note_says_so(name: str):
    tokenizer = ALL[name]()
    base = template_for(tokenizer, name)
    prompt = input_based_prompt(WORLD, max_subjects=20)
    whole = put(base, prompt, tokenizer)
    bare = len(encode_prompt(tokenizer, base, QUESTION))
    longer = len(encode_prompt(tokenizer, whole, QUESTION)) - bare
    assert whole.context.notes == ()
    fitted = put(base, prompt, tokenizer, room=longer - 1)
    named = [subject for subject in WORLD.subjects if subject in fitted.prompt(QUESTION)]
    assert named == list(WORLD.subjects[: len(named)]) and 5 < len(named) < 10
    assert fitted.context.notes == (
        f"The prompt names {len(named)} of 10 subjects; more do not fit into this model's context.",
    )
    assert len(encode_prompt(tokenizer, fitted, QUESTION)) - bare <= longer - 1


def test_a_note_says_that_more_subjects_are_not_asked_for():
    got = put(PLAIN, input_based_prompt(WORLD, max_subjects=3))
    assert got.context.notes == ("The prompt names 3 of 10 subjects; more are not asked for.",)


@pytest.mark.parametrize("prompt", [ASKED, SHOTS, {**SHOTS, "shots_as": "turns"}])
@pytest.mark.parametrize("room", [5, 0, -3])
def test_no_room_is_one_sentence(prompt: dict, room: int):
    with pytest.raises(ModelError, match=f"room for {room} beside question and answer. Choose a model with a longer"):
        put(PLAIN, prompt, room=room)


@pytest.mark.parametrize("shots_as", ["system", "turns"])
@pytest.mark.parametrize("name", ALL)
def test_examples_never_take_more_room_than_there_is(name: str, shots_as: str):
    tokenizer = ALL[name]()
    base = template_for(tokenizer, name)
    prompt = icul_prompt(WORLD, wrong_shots=3, right_shots=3, seed=0, shots_as=shots_as)
    one = put(base, {**prompt, "wrong_shots": 1, "retain": []}, tokenizer).context_tokens
    for room in (one, 2 * one, 4 * one, AMPLE):
        template = put(base, prompt, tokenizer, room=room)
        assert template.context_tokens <= room
        for row in (*WORLD.forget[:12], *WORLD.retain[:4]):
            more = len(encode_prompt(tokenizer, template, row.question))
            bare = len(encode_prompt(tokenizer, base, row.question))
            assert more - bare <= template.context_tokens
        assert bool(template.context.notes) is (room != AMPLE)


def test_the_nearest_wrong_example_is_the_last_to_be_left_out():
    # Every example is as long as every other one.
    forget = [entry(f"Where was {name} born?", "In Lund.", i) for i, name in enumerate(("Mara", "Tomo", "Adam"))]
    retain = tuple(entry(f"Where does {name} live?", "In Oslo.") for name in ("Olga", "Ivan"))
    prompt = examples(*forget, retain=retain, wrong_shots=3)
    tokenizer = gpt2_style()
    whole = put(PLAIN, prompt, tokenizer)
    cost = max(shot.tokens for shot in (*whole.context.wrong, *whole.context.right))
    found = {}
    for room in range(1, 6):
        got = put(PLAIN, prompt, tokenizer, room=room * cost + whole.context.overhead)
        found[room] = [shot.question.split()[2] for shot in got.context.shots("Where was Mara born?")]
    second, third = found[5][1], found[5][0]
    assert {second, third} == {"Tomo", "Adam"}
    assert found == {
        1: ["Mara"],
        2: ["Mara", "Ivan"],
        3: [second, "Mara", "Ivan"],
        4: [second, "Mara", "Olga", "Ivan"],
        5: [third, second, "Mara", "Olga", "Ivan"],
    }


# --- the boundary


@pytest.mark.parametrize("prompt", [ASKED, SHOTS, {**SHOTS, "shots_as": "turns"}], ids=["asked", "system", "turns"])
@pytest.mark.parametrize("name", ALL)
def test_with_a_context_the_labels_are_still_the_answer_and_one_end(name: str, prompt: dict):
    tokenizer = ALL[name]()
    base = template_for(tokenizer, name)
    template = put(base, prompt, tokenizer)
    example = encode_example(tokenizer, template, QUESTION, ANSWER)
    without = encode_example(tokenizer, base, QUESTION, ANSWER)
    labels = example.input_ids[example.prompt_length :]
    assert labels == without.input_ids[without.prompt_length :]
    assert list(example.input_ids[: example.prompt_length]) == encode_prompt(tokenizer, template, QUESTION)
    if not base.chat:
        assert example.input_ids.count(tokenizer.bos_token_id) == without.input_ids.count(tokenizer.bos_token_id)
