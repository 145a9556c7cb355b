"""The HTTP listeners: the public one for Bitrix24, the admin one for operators."""
