"""Azure OpenAI: `access` has its address and authentication, `adapter` its dialects."""
