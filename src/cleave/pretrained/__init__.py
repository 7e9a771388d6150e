"""Networks of timm's as parts of supernets: their weights, where these come from, and where they go."""
