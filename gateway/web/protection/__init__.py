"""Decides who may connect at all: networks, proxies, the senders' addresses that Bitrix24
publishes.
"""
