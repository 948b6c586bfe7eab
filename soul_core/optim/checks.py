"""Bounds that optimizers' settings share. It knows no optimizer."""


def in_range(
    owner: str,
    *,
    lr: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.0, 0.0),
    rho: float = 1.0,
    batch_factor: float = 1.0,
) -> None:
    """Raise a ``ValueError`` that names the owner, the first setting out of its range and the value."""
    for name, value, allowed in (
        ("lr", lr, lr > 0),
        ("betas[0]", betas[0], 0 <= betas[0] < 1),
        ("betas[1]", betas[1], 0 <= betas[1] < 1),
        ("rho", rho, rho > 0),
        ("weight_decay", weight_decay, weight_decay >= 0),
        ("batch_factor", batch_factor, batch_factor > 0),
    ):
        if not allowed:
            raise ValueError(f"{owner}: {name} is out of range, got {value}")
