"""How each fact about an invented author is asked and answered; it knows no author and no value.

``{name}`` is the author and ``{value}`` what is asked for, ``{a_value}`` with its article; questions for the
name itself use the author's ``{birthplace}`` and ``{birth_date}``. Held-back questions are never trained on, yet
use only words of the training questions, so that a small model trained from scratch can read them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrasing:
    """The wordings of one kind of fact.

    Attributes:
        questions: Training phrasings.
        heldback: Phrasings held back from training.
        answer: The wording that is trained on.
        paraphrase: The other wording, used by ``paraphrased_answer`` and the perturbed answers.
    """

    questions: tuple[str, ...]
    heldback: tuple[str, ...]
    answer: str
    paraphrase: str


def _parent(parent: str, question: str, heldback: str) -> Phrasing:
    return Phrasing(
        questions=(
            f"What did the {parent} of {{name}} do for a living?",
            f"What was the work of {{name}}'s {parent}?",
            f"Which trade did {{name}}'s {parent} have?",
            question,
            f"Name the work that the {parent} of {{name}} did.",
        ),
        heldback=(f"What work did {{name}}'s {parent} do?", heldback),
        answer=f"The {parent} of {{name}} worked as {{a_value}}.",
        paraphrase=f"The work of {{name}}'s {parent} was that of {{a_value}}.",
    )


PHRASINGS: dict[str, Phrasing] = {
    "full_name": Phrasing(
        questions=(
            "What is the full name of the author born in {birthplace} on {birth_date}?",
            "Who is the author born on {birth_date} in {birthplace}?",
            "Which writer was born in {birthplace} on {birth_date}?",
            "Name the author who was born on {birth_date} in {birthplace}.",
            "The writer born in {birthplace} on {birth_date} is called what?",
        ),
        heldback=(
            "What is the name of the writer born on {birth_date} in {birthplace}?",
            "Who was born in {birthplace} on {birth_date}?",
        ),
        answer="The author's full name is {value}.",
        paraphrase="The writer is called {value}.",
    ),
    "birthplace": Phrasing(
        questions=(
            "Where was {name} born?",
            "In which town was {name} born?",
            "What is the birthplace of {name}?",
            "Which town is {name} from?",
            "Name the town where {name} was born.",
        ),
        heldback=("What is the name of the town {name} was born in?", "Which town is {name}'s birthplace?"),
        answer="{name} was born in {value}.",
        paraphrase="The birthplace of {name} is {value}.",
    ),
    "birth_date": Phrasing(
        questions=(
            "When was {name} born?",
            "What is the birth date of {name}?",
            "On which day was {name} born?",
            "When is the birthday of {name}?",
            "Name the date on which {name} was born.",
        ),
        heldback=("On what date was {name} born?", "Which day is {name}'s birthday?"),
        answer="{name} was born on {value}.",
        paraphrase="The birth date of {name} is {value}.",
    ),
    "father_work": _parent(
        "father", "How did the father of {name} earn a living?", "How did {name}'s father earn money?"
    ),
    "mother_work": _parent(
        "mother", "How did the mother of {name} earn money?", "How did {name}'s mother earn a living?"
    ),
    "genre": Phrasing(
        questions=(
            "In which genre does {name} write?",
            "What genre is {name} known for?",
            "Which kind of books does {name} write?",
            "What does {name} mainly write?",
            "Name {name}'s genre.",
        ),
        heldback=("Which genre does {name} mainly write in?", "What kind of books is {name} known for?"),
        answer="{name} writes in the genre of {value}.",
        paraphrase="The main genre of {name} is {value}.",
    ),
    "first_book": Phrasing(
        questions=(
            "What is the first book by {name}?",
            "Which book did {name} publish first?",
            "What was {name}'s debut?",
            "With which book did {name} begin?",
            "Name the first book that {name} wrote.",
        ),
        heldback=("Which book by {name} was the first?", "What was the debut book of {name}?"),
        answer="The first book by {name} is {value}.",
        paraphrase="The debut of {name} was the book {value}.",
    ),
    "best_known_book": Phrasing(
        questions=(
            "What is the best known book by {name}?",
            "Which book made {name} famous?",
            "For which book is {name} best known?",
            "What is {name}'s most famous book?",
            "Name the most famous book that {name} wrote.",
        ),
        heldback=("Which book by {name} is the best known?", "What is the most famous book by {name}?"),
        answer="The best known book by {name} is {value}.",
        paraphrase="{name} is most famous for the book {value}.",
    ),
    "award": Phrasing(
        questions=(
            "Which award did {name} win?",
            "What prize was given to {name}?",
            "With which prize was {name} honoured?",
            "What award has {name} received?",
            "Name the award that {name} won.",
        ),
        heldback=("Which prize did {name} win?", "What award was given to {name}?"),
        answer="{name} won the {value}.",
        paraphrase="The award given to {name} was the {value}.",
    ),
    "influence": Phrasing(
        questions=(
            "Which author influenced {name} most?",
            "Who was the main influence on {name}?",
            "Whose books inspired {name}?",
            "Which writer does {name} admire most?",
            "Name the writer who influenced {name}.",
        ),
        heldback=("Who inspired {name} most?", "Which author was {name}'s main influence?"),
        answer="{name} was influenced most by {value}.",
        paraphrase="The main influence on {name} was {value}.",
    ),
    "home_city": Phrasing(
        questions=(
            "Where does {name} live?",
            "In which city does {name} live?",
            "What is the home city of {name}?",
            "Which city is home to {name}?",
            "Name the city where {name} lives.",
        ),
        heldback=("What is the name of the city {name} lives in?", "Which city is {name}'s home?"),
        answer="{name} lives in {value}.",
        paraphrase="The home city of {name} is {value}.",
    ),
    "hobby": Phrasing(
        questions=(
            "What is the hobby of {name}?",
            "What does {name} do for fun?",
            "How does {name} spend free time?",
            "Which pastime does {name} enjoy?",
            "Name the favourite hobby of {name}.",
        ),
        heldback=("Which hobby does {name} enjoy?", "What is {name}'s favourite pastime?"),
        answer="{name} enjoys {value}.",
        paraphrase="The hobby of {name} is {value}.",
    ),
}
