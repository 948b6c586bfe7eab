"""Models as weights: finding, loading, copying, saving and holding them. It knows no loss and no race."""
