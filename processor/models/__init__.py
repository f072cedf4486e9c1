"""Models that hear: where their weights come from, how they are loaded, and what each one's input and output are.

`table` lists them, `store` fetches and verifies their files, `loading` loads one when it is first needed and lets go of
others for it. Each other file here is one family of models. Nothing heavy is imported before a model is loaded.
"""
