"""The operators' audience: whoever runs this deployment. Every route here is for operators only."""
