"""Who does the work, in this process or in others; how it is watched, and how it is asked to stop."""
