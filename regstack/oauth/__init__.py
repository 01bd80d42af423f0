"""Sign-in with external providers, as their client: OAuth 2.0 and OpenID Connect.

Nothing here stores anything or knows a web framework.
"""
