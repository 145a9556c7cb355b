"""The commands of `gateway`: reading arguments and settings, wiring the parts, running them."""
