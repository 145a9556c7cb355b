"""What is removed from the streams, and when: nothing before every group is through with it."""
