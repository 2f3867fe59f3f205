"""Small typed records of what Azure answered.

They tolerate missing, unknown and mistyped fields: every preview api-version of the service adds some, and a
sovereign cloud may lack others.
"""
