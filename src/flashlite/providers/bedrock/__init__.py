"""Amazon Bedrock: its Converse API, and AWS request signing."""
