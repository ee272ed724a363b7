"""The web page: what it offers, what a visitor compares, the values and small components that show it."""
