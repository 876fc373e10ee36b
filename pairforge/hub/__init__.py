"""Publishing on the Hugging Face Hub, and the way back.

repository makes one commit to any repository; manifest is what a published data set says about itself, dataset_card its
README; dataset_upload and model_upload say what is uploaded, and what may be replaced.
"""
