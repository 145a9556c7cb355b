"""Looks after portals again and again, one process at a time: the process behind `gateway
reconcile`.
"""
