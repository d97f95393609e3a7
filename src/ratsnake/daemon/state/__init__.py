"""The flows in a file, so that they outlive the program."""
