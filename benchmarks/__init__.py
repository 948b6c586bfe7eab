"""How fast SOUL is on this machine. Nothing here is part of the app."""
