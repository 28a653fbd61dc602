"""Paged lists, whoever's they are: which pages cover a window, rows that move, groups looked up."""
