"""What a transport of mails or text messages says of itself, and what several of them share."""
