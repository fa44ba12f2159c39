"""Stems: networks that see photos but do not judge them, and models built on them in closed form."""
