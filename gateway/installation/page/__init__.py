"""What an administrator sees who installs the application, or opens it afterwards: pure."""
