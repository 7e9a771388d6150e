"""What was found, for people: text, tables, figures, the page."""
