"""What a person at the terminal meets: the `sanduan` command line and the full-screen application."""
