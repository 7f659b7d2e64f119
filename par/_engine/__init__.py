"""The ReAct engine: one small loop over a model, tools and steps."""
