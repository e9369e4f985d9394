"""What the client tests share: a server of one's own, raw requests with signatures, and bytes to store."""
