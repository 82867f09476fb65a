"""Amazon Bedrock: its Converse API, and the proof of who asks that AWS wants."""
