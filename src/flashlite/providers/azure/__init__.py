"""Azure OpenAI: `access` says where it is and who asks, `adapter` what is said."""
