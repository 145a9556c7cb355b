"""Examines an installation: what makes it unsafe or unready, and what to do about each."""
