"""How far each part of a model's weights moved, by layer and module, whatever the architecture calls them.

It knows no run and asks nothing.
"""

import re
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedModel

from soul_core.errors import ModelError
from soul_core.probing.results import WeightChange

INPUT, OUTPUT = "Input", "Output"
NORMS, EMBEDDING, HEAD = "norms", "embedding", "head"
ORDER = ("q", "k", "v", "qkv", "o", "gate", "up", "gate+up", "down")
# What Llama, Qwen, Mistral, Gemma, Phi, GPT-2, GPT-Neo, GPT-NeoX, OPT, Falcon and Bloom call the parts of a block. The
# last name is looked up first with the module around it, since “dense” and “c_proj” mean two things.
_NAMES = {
    "q_proj": "q",
    "k_proj": "k",
    "v_proj": "v",
    "c_attn": "qkv",
    "qkv_proj": "qkv",
    "query_key_value": "qkv",
    "o_proj": "o",
    "out_proj": "o",
    "dense": "o",
    "gate_proj": "gate",
    "gate_up_proj": "gate+up",
    "up_proj": "up",
    "c_fc": "up",
    "fc1": "up",
    "fc_in": "up",
    "dense_h_to_4h": "up",
    "down_proj": "down",
    "fc2": "down",
    "fc_out": "down",
    "dense_4h_to_h": "down",
}
_NORM = re.compile(r"(^|_)(norm|layernorm|ln)(_|\d|$)|norm$")


@dataclass(frozen=True, slots=True)
class Part:
    """Where a weight belongs in the heat map."""

    layer: str
    module: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows and columns of a heat map, and the parameters in each of its cells."""

    layers: tuple[str, ...]
    modules: tuple[str, ...]
    cells: dict[Part, tuple[str, ...]]


def layout_of(model: PreTrainedModel) -> Layout:
    """The model's parameters by layer and module, found by structure; tied weights are counted once.

    Blocks are what the model keeps in its longest list. What comes before them is the input, what comes after them
    the output. A layer's bias belongs to it; the norms of a block are one module. A part with a name that is not known
    here keeps its own.
    """
    prefix, count = _blocks(model)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    at_input = {id(p) for p in embedding.parameters()}
    at_output = {id(p) for p in head.parameters()} - at_input if head is not None else set()
    cells: dict[Part, list[str]] = {}
    for name, p in model.named_parameters():
        cells.setdefault(_part(name, p, prefix, at_input, at_output), []).append(name)
    layers = [INPUT, *(str(number) for number in range(1, count + 1)), OUTPUT]
    modules = {part.module for part in cells}
    ends = [module for module in (NORMS, EMBEDDING, HEAD) if module in modules]
    known = [module for module in ORDER if module in modules]
    others = [part.module for part in cells if part.module not in (*known, *ends)]
    return Layout(
        layers=tuple(layer for layer in layers if any(part.layer == layer for part in cells)),
        modules=(*known, *dict.fromkeys(others), *ends),
        cells={part: tuple(names) for part, names in cells.items()},
    )


def weight_change(name: str, before: PreTrainedModel, after: PreTrainedModel, layout: Layout) -> WeightChange:
    """Norm of the change over the norm before, for every cell and for all weights: ``|w' - w| / |w|``.

    Args:
        name: What the changed model is called.
        before: The original.
        after: The same architecture with other weights, an adapter merged into them.
        layout: Of the original.

    Returns:
        By layer and module; None where there is no such part, or where it was all zero before and is no more.

    Raises:
        ModelError: The two have not the same parts.
    """
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    if {n: p.shape for n, p in old.items()} != {n: p.shape for n, p in new.items()}:
        raise ModelError(f"“{name}” has other layers than the original, so their weights cannot be compared.")
    squares: dict[Part, tuple[float, float]] = {}
    for part, names in layout.cells.items():
        moved = sum(_square(new[n].detach().to(old[n].device) - old[n].detach()) for n in names)
        squares[part] = (moved, sum(_square(old[n].detach()) for n in names))
    whole = _ratio(sum(moved for moved, _ in squares.values()), sum(size for _, size in squares.values()))
    rows = [[squares.get(Part(layer, module)) for module in layout.modules] for layer in layout.layers]
    return WeightChange(
        model=name,
        values=tuple(tuple(None if cell is None else _ratio(*cell) for cell in row) for row in rows),
        whole=whole or 0.0,
    )


def _part(name: str, p: Tensor, prefix: str, at_input: set[int], at_output: set[int]) -> Part:
    if id(p) in at_input:
        return Part(INPUT, EMBEDDING)
    if id(p) in at_output:
        return Part(OUTPUT, HEAD)
    if prefix and name.startswith(prefix):
        number, _, inside = name.removeprefix(prefix).partition(".")
        return Part(str(int(number) + 1), _module(inside))
    module = name.split(".")[-2] if "." in name else name
    if _NORM.search(module):
        # GPT-2's is behind the blocks; the few norms of an embedding say so.
        return Part(INPUT if "emb" in name else OUTPUT, NORMS)
    return Part(INPUT, EMBEDDING) if re.search(r"emb|wpe|wte", name) else Part(OUTPUT, module)


def _module(inside: str) -> str:
    """The column of a parameter by its name within a block, such as ``self_attn.q_proj.weight``."""
    parts = inside.split(".")
    # Weights of their own, such as those of a mixture of experts, have no ``.weight`` behind their name.
    parts = parts[:-1] if parts[-1] in ("weight", "bias") and len(parts) > 1 else parts
    last = parts[-1]
    if last == "c_proj":
        return "down" if any("mlp" in part for part in parts) else "o"
    if any(_NORM.search(part) for part in parts[-2:]):
        return NORMS
    return _NAMES.get(last, last)


def _blocks(model: PreTrainedModel) -> tuple[str, int]:
    """The beginning of every name within the blocks, and how many blocks there are."""
    lists = [(name, len(module)) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    outer = [(name, count) for name, count in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    if not outer:
        return "", 0
    name, count = max(outer, key=lambda one: one[1])
    return f"{name}.", count


def _square(tensor: Tensor) -> float:
    return float(tensor.double().square().sum())


def _ratio(moved: float, size: float) -> float | None:
    if size == 0:
        return None if moved else 0.0
    return float((moved / size) ** 0.5)
