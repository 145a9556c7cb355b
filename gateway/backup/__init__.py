"""Takes what an installation cannot be made of again, checks it, and puts it back.

Nothing here knows what a key or a file is for, but in which order copies of them fit together.
"""
