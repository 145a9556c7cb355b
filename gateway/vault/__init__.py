"""Encrypts the secrets that the gateway has to keep, by the keys of [vault]."""
