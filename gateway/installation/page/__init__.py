"""Shows the page to an administrator who installs the application, or opens it afterwards: pure."""
