"""A network as a readable Python file that needs torch alone, beside its weights."""
