"""The client in applications of web frameworks, each a program of its own as its developer would write it."""
