"""Shows operators in a browser how an installation is, and lets them repair it: the console."""
