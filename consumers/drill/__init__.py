"""Handles the events of a drill (gateway.drill), so that it can be counted what became of them."""
