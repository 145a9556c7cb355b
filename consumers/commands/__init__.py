"""The commands of `consumers`: reading arguments and settings, wiring the parts, running them."""
