"""All changes of a run together: checked, planned, made, revised, undone, and cleared away."""
