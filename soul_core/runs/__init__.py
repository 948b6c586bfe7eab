"""Run folders: what a race leaves on disk, and how it is read back. It knows no tensors and no models."""
