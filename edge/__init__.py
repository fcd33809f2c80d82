"""The field node: store, domain events, rules, config, supervisor, roles, exercises, exports."""
