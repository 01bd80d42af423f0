"""The pages: forms that work in any browser, without a script."""
