"""Listens for HTTP: the public listener for Bitrix24, the admin one for operators."""
