# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The settings of one version of Open WebUI, with what a running server does not tell about them."""

from __future__ import annotations

import hashlib
import json
import typing as t

VERSION = "0.12.4"

# A line is: name | types | default as JSON | variables of the environment | marks
#
# Null fits wherever a string, a list or a dictionary does. A default that is long is given by the beginning of the
# SHA-256 of its JSON. Of several variables the first is the current one.
#
# Marks:
#   connection   belongs to openwebui_connection
#   group        belongs to openwebui_group
#   environment  is kept with the settings, but the program reads the variable only, when it starts
#   secret       no part of it may be shown
#   optional     exists only once somebody has set it
TABLE = """
apps.enable | boolean | false | ENABLE_APPS
audio.realtime.auth_type | string | "api_key" | AUDIO_REALTIME_AUTH_TYPE
audio.realtime.enabled | boolean | false | AUDIO_REALTIME_ENABLED
audio.realtime.input_params | dictionary | null | AUDIO_REALTIME_INPUT_PARAMS
audio.realtime.model | string | "gpt-realtime-2.1-mini" | AUDIO_REALTIME_MODEL
audio.realtime.openai.api_base_url | string | "https://api.openai.com/v1" | AUDIO_REALTIME_OPENAI_API_BASE_URL
audio.realtime.openai.api_key | string | "" | AUDIO_REALTIME_OPENAI_API_KEY | secret
audio.realtime.prompt_template | string | null | REALTIME_CALL_PROMPT_TEMPLATE
audio.realtime.provider | string | "openai" | AUDIO_REALTIME_PROVIDER
audio.realtime.transcription_model | string | "gpt-transcribe" | AUDIO_REALTIME_TRANSCRIPTION_MODEL
audio.realtime.voice | string | "marin" | AUDIO_REALTIME_VOICE
audio.stt.allowed_extensions | list | ["mp3", "wav", "m4a", "webm", "ogg", "flac", "mp4", "mpga", "mpeg"] | AUDIO_STT_ALLOWED_EXTENSIONS
audio.stt.azure.api_key | string | "" | AUDIO_STT_AZURE_API_KEY | secret
audio.stt.azure.base_url | string | "" | AUDIO_STT_AZURE_BASE_URL
audio.stt.azure.locales | string | "" | AUDIO_STT_AZURE_LOCALES
audio.stt.azure.max_speakers | string | "" | AUDIO_STT_AZURE_MAX_SPEAKERS
audio.stt.azure.region | string | "" | AUDIO_STT_AZURE_REGION
audio.stt.deepgram.api_key | string | "" | DEEPGRAM_API_KEY | secret
audio.stt.engine | string | "" | AUDIO_STT_ENGINE
audio.stt.mistral.api_base_url | string | "https://api.mistral.ai/v1" | AUDIO_STT_MISTRAL_API_BASE_URL
audio.stt.mistral.api_key | string | "" | AUDIO_STT_MISTRAL_API_KEY | secret
audio.stt.mistral.use_chat_completions | boolean | false | AUDIO_STT_MISTRAL_USE_CHAT_COMPLETIONS
audio.stt.model | string | "" | AUDIO_STT_MODEL
audio.stt.openai.api_base_url | string | "https://api.openai.com/v1" | AUDIO_STT_OPENAI_API_BASE_URL
audio.stt.openai.api_key | string | "" | AUDIO_STT_OPENAI_API_KEY | secret
audio.stt.openai.api_request_format | string | "multipart" | AUDIO_STT_OPENAI_API_REQUEST_FORMAT
audio.stt.supported_content_types | list | [] | AUDIO_STT_SUPPORTED_CONTENT_TYPES
audio.stt.whisper_model | string | "base" | WHISPER_MODEL
audio.tts.api_key | string | "" | AUDIO_TTS_API_KEY | secret
audio.tts.azure.speech_base_url | string | "" | AUDIO_TTS_AZURE_SPEECH_BASE_URL
audio.tts.azure.speech_output_format | string | "audio-24khz-160kbitrate-mono-mp3" | AUDIO_TTS_AZURE_SPEECH_OUTPUT_FORMAT
audio.tts.azure.speech_region | string | "" | AUDIO_TTS_AZURE_SPEECH_REGION
audio.tts.engine | string | "" | AUDIO_TTS_ENGINE
audio.tts.mistral.api_base_url | string | "https://api.mistral.ai/v1" | AUDIO_TTS_MISTRAL_API_BASE_URL
audio.tts.mistral.api_key | string | "" | AUDIO_TTS_MISTRAL_API_KEY | secret
audio.tts.model | string | "tts-1" | AUDIO_TTS_MODEL
audio.tts.openai.api_base_url | string | "https://api.openai.com/v1" | AUDIO_TTS_OPENAI_API_BASE_URL
audio.tts.openai.api_key | string | "" | AUDIO_TTS_OPENAI_API_KEY | secret
audio.tts.openai.params | dictionary | {} | AUDIO_TTS_OPENAI_PARAMS
audio.tts.realtime.prompt_template | string | null | REALTIME_TTS_PROMPT_TEMPLATE
audio.tts.split_on | string | "punctuation" | AUDIO_TTS_SPLIT_ON
audio.tts.voice | string | "alloy" | AUDIO_TTS_VOICE
auth.admin.email | string | null | ADMIN_EMAIL
auth.admin.show | boolean | true | SHOW_ADMIN_DETAILS
auth.api_key.allowed_endpoints | string | "" | API_KEYS_ALLOWED_ENDPOINTS API_KEY_ALLOWED_ENDPOINTS
auth.api_key.endpoint_restrictions | boolean | false | ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS ENABLE_API_KEY_ENDPOINT_RESTRICTIONS
auth.enable_api_keys | boolean | false | ENABLE_API_KEYS
auth.jwt_expiry | string | "4w" | JWT_EXPIRES_IN
auth.mfa.allow_oauth_bypass | boolean | false | MFA_ALLOW_OAUTH_BYPASS
auth.mfa.allow_trusted_header_bypass | boolean | false | MFA_ALLOW_TRUSTED_HEADER_BYPASS
auth.mfa.enable | boolean | false | ENABLE_MFA
automations.auth_token_expires_in | string | "1h" | AUTOMATION_AUTH_TOKEN_EXPIRES_IN
automations.enable | boolean | true | ENABLE_AUTOMATIONS
automations.max_count | integer/string | "" | AUTOMATION_MAX_COUNT
automations.min_interval | integer/string | "" | AUTOMATION_MIN_INTERVAL
calendar.enable | boolean | true | ENABLE_CALENDAR
channels.enable | boolean | false | ENABLE_CHANNELS
channels.encryption.enable | boolean | false | ENABLE_ENCRYPTED_CHANNELS
channels.model_response_mode | string | "thread" | CHANNEL_MODEL_RESPONSE_MODE
chat.context_compaction.enable | boolean | false | ENABLE_CONTEXT_COMPACTION
chat.context_compaction.model | string | "" | CONTEXT_COMPACTION_MODEL
chat.context_compaction.prompt_template | string | "" | CONTEXT_COMPACTION_PROMPT_TEMPLATE
chat.context_compaction.retention_percentage | integer/null | 40 | CONTEXT_COMPACTION_RETENTION_PERCENTAGE
chat.context_compaction.token_cap | integer/null | null | CONTEXT_COMPACTION_TOKEN_CAP
chat.context_compaction.token_threshold | integer/null | 80000 | CONTEXT_COMPACTION_TOKEN_THRESHOLD
chat.tool_permissions.enable | boolean | false | ENABLE_TOOL_PERMISSIONS
chat.tool_search.always_loaded | list | [] | TOOL_SEARCH_ALWAYS_LOADED
chat.tool_search.defer_builtin_tools | boolean | true | TOOL_SEARCH_DEFER_BUILTIN_TOOLS
chat.tool_search.defer_threshold | integer | 400 | TOOL_SEARCH_DEFER_THRESHOLD
chat.tool_search.enable | boolean | false | ENABLE_TOOL_SEARCH
code_execution.enable | boolean | true | ENABLE_CODE_EXECUTION
code_execution.engine | string | "pyodide" | CODE_EXECUTION_ENGINE
code_execution.jupyter.auth | string | "" | CODE_EXECUTION_JUPYTER_AUTH
code_execution.jupyter.auth_password | string | "" | CODE_EXECUTION_JUPYTER_AUTH_PASSWORD | secret
code_execution.jupyter.auth_token | string | "" | CODE_EXECUTION_JUPYTER_AUTH_TOKEN | secret
code_execution.jupyter.timeout | integer/null | 60 | CODE_EXECUTION_JUPYTER_TIMEOUT
code_execution.jupyter.url | string | "" | CODE_EXECUTION_JUPYTER_URL
code_interpreter.enable | boolean | true | ENABLE_CODE_INTERPRETER
code_interpreter.engine | string | "pyodide" | CODE_INTERPRETER_ENGINE
code_interpreter.jupyter.auth | string | "" | CODE_INTERPRETER_JUPYTER_AUTH CODE_EXECUTION_JUPYTER_AUTH
code_interpreter.jupyter.auth_password | string | "" | CODE_INTERPRETER_JUPYTER_AUTH_PASSWORD CODE_EXECUTION_JUPYTER_AUTH_PASSWORD | secret
code_interpreter.jupyter.auth_token | string | "" | CODE_INTERPRETER_JUPYTER_AUTH_TOKEN CODE_EXECUTION_JUPYTER_AUTH_TOKEN | secret
code_interpreter.jupyter.timeout | integer/null | 60 | CODE_INTERPRETER_JUPYTER_TIMEOUT CODE_EXECUTION_JUPYTER_TIMEOUT
code_interpreter.jupyter.url | string | "" | CODE_INTERPRETER_JUPYTER_URL CODE_EXECUTION_JUPYTER_URL
code_interpreter.prompt_template | string | "" | CODE_INTERPRETER_PROMPT_TEMPLATE
direct.enable | boolean | false | ENABLE_DIRECT_CONNECTIONS
direct.integrations.enable | boolean | false | ENABLE_DIRECT_INTEGRATIONS
evaluation.arena.enable | boolean | false | ENABLE_EVALUATION_ARENA_MODELS
evaluation.arena.models | list | [] | EVALUATION_ARENA_MODELS
events.webhooks | list | [] |  | optional secret
external_knowledge.connections | list | [] |  | optional
file.image_compression_height | integer/null | null | FILE_IMAGE_COMPRESSION_HEIGHT
file.image_compression_width | integer/null | null | FILE_IMAGE_COMPRESSION_WIDTH
folders.enable | boolean | true | ENABLE_FOLDERS
folders.max_file_count | integer/string | "" | FOLDER_MAX_FILE_COUNT
google_drive.api_key | string | "" | GOOGLE_DRIVE_API_KEY | environment secret
google_drive.client_id | string | "" | GOOGLE_DRIVE_CLIENT_ID | environment
google_drive.enable | boolean | false | ENABLE_GOOGLE_DRIVE_INTEGRATION
image_generation.automatic1111.api_auth | dictionary/string | "" | AUTOMATIC1111_API_AUTH | secret
image_generation.automatic1111.api_params | dictionary/string | {} | AUTOMATIC1111_PARAMS
image_generation.automatic1111.base_url | string | "" | AUTOMATIC1111_BASE_URL
image_generation.comfyui.api_key | string | "" | COMFYUI_API_KEY | secret
image_generation.comfyui.base_url | string | "" | COMFYUI_BASE_URL
image_generation.comfyui.nodes | list | [] | COMFYUI_WORKFLOW_NODES
image_generation.comfyui.workflow | string | "sha256:6b68736a29df0650" | COMFYUI_WORKFLOW
image_generation.enable | boolean | false | ENABLE_IMAGE_GENERATION
image_generation.engine | string | "openai" | IMAGE_GENERATION_ENGINE
image_generation.gemini.api_base_url | string | "" | IMAGES_GEMINI_API_BASE_URL
image_generation.gemini.api_key | string | "" | IMAGES_GEMINI_API_KEY | secret
image_generation.gemini.endpoint_method | string | "" | IMAGES_GEMINI_ENDPOINT_METHOD
image_generation.model | string | "" | IMAGE_GENERATION_MODEL
image_generation.openai.api_base_url | string | "https://api.openai.com/v1" | IMAGES_OPENAI_API_BASE_URL
image_generation.openai.api_key | string | "" | IMAGES_OPENAI_API_KEY | secret
image_generation.openai.api_version | string | "" | IMAGES_OPENAI_API_VERSION
image_generation.openai.params | dictionary/string | {} | IMAGES_OPENAI_PARAMS
image_generation.prompt.enable | boolean | true | ENABLE_IMAGE_PROMPT_GENERATION
image_generation.size | string | "512x512" | IMAGE_SIZE
image_generation.steps | integer | 50 | IMAGE_STEPS
images.edit.comfyui.api_key | string | "" | IMAGES_EDIT_COMFYUI_API_KEY | secret
images.edit.comfyui.base_url | string | "" | IMAGES_EDIT_COMFYUI_BASE_URL
images.edit.comfyui.nodes | list | [] | IMAGES_EDIT_COMFYUI_WORKFLOW_NODES
images.edit.comfyui.workflow | string | "" | IMAGES_EDIT_COMFYUI_WORKFLOW
images.edit.enable | boolean | false | ENABLE_IMAGE_EDIT
images.edit.engine | string | "openai" | IMAGE_EDIT_ENGINE
images.edit.gemini.api_base_url | string | "" | IMAGES_EDIT_GEMINI_API_BASE_URL
images.edit.gemini.api_key | string | "" | IMAGES_EDIT_GEMINI_API_KEY | secret
images.edit.model | string | "" | IMAGE_EDIT_MODEL
images.edit.openai.api_base_url | string | "https://api.openai.com/v1" | IMAGES_EDIT_OPENAI_API_BASE_URL
images.edit.openai.api_key | string | "" | IMAGES_EDIT_OPENAI_API_KEY | secret
images.edit.openai.api_version | string | "" | IMAGES_EDIT_OPENAI_API_VERSION
images.edit.size | string | "" | IMAGE_EDIT_SIZE
ldap.enable | boolean | false | ENABLE_LDAP
ldap.group.enable_creation | boolean | false | ENABLE_LDAP_GROUP_CREATION
ldap.group.enable_management | boolean | false | ENABLE_LDAP_GROUP_MANAGEMENT
ldap.server.app_dn | string | "" | LDAP_APP_DN
ldap.server.app_password | string | "" | LDAP_APP_PASSWORD | secret
ldap.server.attribute_for_groups | string | "memberOf" | LDAP_ATTRIBUTE_FOR_GROUPS
ldap.server.attribute_for_mail | string | "mail" | LDAP_ATTRIBUTE_FOR_MAIL
ldap.server.attribute_for_username | string | "uid" | LDAP_ATTRIBUTE_FOR_USERNAME
ldap.server.ca_cert_file | string | "" | LDAP_CA_CERT_FILE
ldap.server.ciphers | string | "ALL" | LDAP_CIPHERS
ldap.server.default_email_domain | string | "" | LDAP_DEFAULT_EMAIL_DOMAIN
ldap.server.host | string | "localhost" | LDAP_SERVER_HOST
ldap.server.label | string | "LDAP Server" | LDAP_SERVER_LABEL
ldap.server.port | integer/null | 389 | LDAP_SERVER_PORT
ldap.server.search_filter | string | "" | LDAP_SEARCH_FILTERS LDAP_SEARCH_FILTER
ldap.server.use_tls | boolean | true | LDAP_USE_TLS
ldap.server.users_dn | string | "" | LDAP_SEARCH_BASE
ldap.server.validate_cert | boolean | true | LDAP_VALIDATE_CERT
memories.background_review.enable | boolean | false | ENABLE_MEMORY_BACKGROUND_REVIEW
memories.context_char_limit | integer | 2000 | MEMORIES_CONTEXT_CHAR_LIMIT
memories.enable | boolean | true | ENABLE_MEMORIES
memories.review_interval_turns | integer | 10 | MEMORIES_REVIEW_INTERVAL_TURNS
memories.system_context.enable | boolean | true | ENABLE_MEMORY_SYSTEM_CONTEXT
memories.user_char_limit | integer | 2000 | MEMORIES_USER_CHAR_LIMIT
models.base_models_cache | boolean | false | ENABLE_BASE_MODELS_CACHE
models.default_metadata | dictionary | {} | DEFAULT_MODEL_METADATA
models.default_params | dictionary | {} | DEFAULT_MODEL_PARAMS
notes.enable | boolean | true | ENABLE_NOTES
oauth.admin_roles | list | ["admin"] | OAUTH_ADMIN_ROLES
oauth.allowed_domains | list | ["*"] | OAUTH_ALLOWED_DOMAINS
oauth.allowed_roles | list | ["user", "admin"] | OAUTH_ALLOWED_ROLES
oauth.audience | string | "" | OAUTH_AUDIENCE
oauth.auto_redirect | boolean | false | OAUTH_AUTO_REDIRECT
oauth.blocked_groups | list/string | "[]" | OAUTH_BLOCKED_GROUPS
oauth.client.timeout | integer/string | "" | OAUTH_CLIENT_TIMEOUT | environment
oauth.client_id | string | "" | OAUTH_CLIENT_ID | environment
oauth.client_secret | string | "" | OAUTH_CLIENT_SECRET | environment secret
oauth.code_challenge_method | string | null | OAUTH_CODE_CHALLENGE_METHOD | environment
oauth.email_claim | string | "email" | OAUTH_EMAIL_CLAIM
oauth.enable | boolean | true | ENABLE_OAUTH
oauth.enable_group_creation | boolean | false | ENABLE_OAUTH_GROUP_CREATION
oauth.enable_group_mapping | boolean | false | ENABLE_OAUTH_GROUP_MANAGEMENT
oauth.enable_role_mapping | boolean | false | ENABLE_OAUTH_ROLE_MANAGEMENT
oauth.enable_signup | boolean | false | ENABLE_OAUTH_SIGNUP
oauth.end_session_endpoint | string | "" | OPENID_END_SESSION_ENDPOINT
oauth.feishu.client_id | string | "" | FEISHU_CLIENT_ID | environment
oauth.feishu.client_secret | string | "" | FEISHU_CLIENT_SECRET | environment secret
oauth.feishu.redirect_uri | string | "" | FEISHU_REDIRECT_URI | environment
oauth.feishu.scope | string | "contact:user.base:readonly" | FEISHU_OAUTH_SCOPE | environment
oauth.github.client_id | string | "" | GITHUB_CLIENT_ID | environment
oauth.github.client_secret | string | "" | GITHUB_CLIENT_SECRET | environment secret
oauth.github.redirect_uri | string | "" | GITHUB_CLIENT_REDIRECT_URI | environment
oauth.github.scope | string | "user:email" | GITHUB_CLIENT_SCOPE | environment
oauth.google.client_id | string | "" | GOOGLE_CLIENT_ID | environment
oauth.google.client_secret | string | "" | GOOGLE_CLIENT_SECRET | environment secret
oauth.google.redirect_uri | string | "" | GOOGLE_REDIRECT_URI | environment
oauth.google.scope | string | "openid email profile" | GOOGLE_OAUTH_SCOPE | environment
oauth.group_claim | string | "groups" | OAUTH_GROUPS_CLAIM OAUTH_GROUP_CLAIM
oauth.group_default_share | boolean/string | true | OAUTH_GROUP_DEFAULT_SHARE
oauth.merge_accounts_by_email | boolean | false | OAUTH_MERGE_ACCOUNTS_BY_EMAIL
oauth.microsoft.client_id | string | "" | MICROSOFT_CLIENT_ID | environment
oauth.microsoft.client_secret | string | "" | MICROSOFT_CLIENT_SECRET | environment secret
oauth.microsoft.login_base_url | string | "https://login.microsoftonline.com" | MICROSOFT_CLIENT_LOGIN_BASE_URL | environment
oauth.microsoft.picture_url | string | "https://graph.microsoft.com/v1.0/me/photo/$value" | MICROSOFT_CLIENT_PICTURE_URL | environment
oauth.microsoft.redirect_uri | string | "" | MICROSOFT_REDIRECT_URI | environment
oauth.microsoft.scope | string | "openid email profile" | MICROSOFT_OAUTH_SCOPE | environment
oauth.microsoft.tenant_id | string | "" | MICROSOFT_CLIENT_TENANT_ID | environment
oauth.picture_claim | string | "picture" | OAUTH_PICTURE_CLAIM
oauth.provider_name | string | "SSO" | OAUTH_PROVIDER_NAME | environment
oauth.provider_url | string | "" | OPENID_PROVIDER_URL
oauth.redirect_uri | string | "" | OPENID_REDIRECT_URI | environment
oauth.refresh_token.include_scope | boolean | false | OAUTH_REFRESH_TOKEN_INCLUDE_SCOPE
oauth.roles_claim | string | "roles" | OAUTH_ROLES_CLAIM
oauth.scopes | string | "openid email profile" | OAUTH_SCOPES | environment
oauth.sub_claim | string | null | OAUTH_SUB_CLAIM
oauth.timeout | integer/string | "" | OAUTH_TIMEOUT | environment
oauth.token_endpoint_auth_method | string | null | OAUTH_TOKEN_ENDPOINT_AUTH_METHOD | environment
oauth.update_email_on_login | boolean | false | OAUTH_UPDATE_EMAIL_ON_LOGIN
oauth.update_name_on_login | boolean | false | OAUTH_UPDATE_NAME_ON_LOGIN
oauth.update_picture_on_login | boolean | false | OAUTH_UPDATE_PICTURE_ON_LOGIN
oauth.username_claim | string | "name" | OAUTH_USERNAME_CLAIM
ollama.api_configs | dictionary | {} | OLLAMA_API_CONFIGS | connection
ollama.base_urls | list | ["http://localhost:11434"] | OLLAMA_BASE_URLS OLLAMA_API_BASE_URL OLLAMA_BASE_URL | connection
ollama.enable | boolean | true | ENABLE_OLLAMA_API | connection
onedrive.enable | boolean | false | ENABLE_ONEDRIVE_INTEGRATION
onedrive.sharepoint_tenant_id | string | "" | ONEDRIVE_SHAREPOINT_TENANT_ID | environment
onedrive.sharepoint_url | string | "" | ONEDRIVE_SHAREPOINT_URL | environment
openai.api_base_urls | list | ["https://api.openai.com/v1"] | OPENAI_API_BASE_URLS OPENAI_API_BASE_URL | connection
openai.api_configs | dictionary | {} | OPENAI_API_CONFIGS | connection
openai.api_keys | list | [""] | OPENAI_API_KEYS OPENAI_API_KEY | connection secret
openai.enable | boolean | true | ENABLE_OPENAI_API | connection
rag.azure_openai.api_key | string | "" | RAG_AZURE_OPENAI_API_KEY | secret
rag.azure_openai.api_version | string | "" | RAG_AZURE_OPENAI_API_VERSION
rag.azure_openai.base_url | string | "" | RAG_AZURE_OPENAI_BASE_URL
rag.bypass_embedding_and_retrieval | boolean | false | BYPASS_EMBEDDING_AND_RETRIEVAL
rag.chunk_min_size_target | integer | 0 | CHUNK_MIN_SIZE_TARGET
rag.chunk_overlap | integer | 100 | CHUNK_OVERLAP
rag.chunk_size | integer | 1000 | CHUNK_SIZE
rag.content_extraction.supported_media_mime_types | list | null | CONTENT_EXTRACTION_SUPPORTED_MEDIA_MIME_TYPES
rag.content_extraction_engine | string | "" | CONTENT_EXTRACTION_ENGINE
rag.datalab_marker_additional_config | string | "" | DATALAB_MARKER_ADDITIONAL_CONFIG
rag.datalab_marker_api_base_url | string | "" | DATALAB_MARKER_API_BASE_URL
rag.datalab_marker_api_key | string | "" | DATALAB_MARKER_API_KEY | secret
rag.datalab_marker_disable_image_extraction | boolean | false | DATALAB_MARKER_DISABLE_IMAGE_EXTRACTION
rag.datalab_marker_force_ocr | boolean | false | DATALAB_MARKER_FORCE_OCR
rag.datalab_marker_format_lines | boolean | false | DATALAB_MARKER_FORMAT_LINES
rag.datalab_marker_output_format | string | "markdown" | DATALAB_MARKER_OUTPUT_FORMAT
rag.datalab_marker_paginate | boolean | false | DATALAB_MARKER_PAGINATE
rag.datalab_marker_skip_cache | boolean | false | DATALAB_MARKER_SKIP_CACHE
rag.datalab_marker_strip_existing_ocr | boolean | false | DATALAB_MARKER_STRIP_EXISTING_OCR
rag.datalab_marker_use_llm | boolean | false | DATALAB_MARKER_USE_LLM
rag.docling_api_key | string | "" | DOCLING_API_KEY | secret
rag.docling_params | dictionary | {} | DOCLING_PARAMS
rag.docling_server_url | string | "http://docling:5001" | DOCLING_SERVER_URL
rag.document_intelligence_endpoint | string | "" | DOCUMENT_INTELLIGENCE_ENDPOINT
rag.document_intelligence_key | string | "" | DOCUMENT_INTELLIGENCE_KEY | secret
rag.document_intelligence_model | string | "prebuilt-layout" | DOCUMENT_INTELLIGENCE_MODEL
rag.embedding_batch_size | integer | 1 | RAG_EMBEDDING_BATCH_SIZE RAG_EMBEDDING_OPENAI_BATCH_SIZE
rag.embedding_concurrent_requests | integer | 0 | RAG_EMBEDDING_CONCURRENT_REQUESTS
rag.embedding_engine | string | "" | RAG_EMBEDDING_ENGINE
rag.embedding_model | string | "sentence-transformers/all-MiniLM-L6-v2" | RAG_EMBEDDING_MODEL
rag.enable_async_embedding | boolean | true | ENABLE_ASYNC_EMBEDDING
rag.enable_hybrid_search | boolean | false | ENABLE_RAG_HYBRID_SEARCH
rag.enable_hybrid_search_enriched_texts | boolean | false | ENABLE_RAG_HYBRID_SEARCH_ENRICHED_TEXTS
rag.enable_markdown_header_text_splitter | boolean | true | ENABLE_MARKDOWN_HEADER_TEXT_SPLITTER
rag.external_document_loader_api_key | string | "" | EXTERNAL_DOCUMENT_LOADER_API_KEY | secret
rag.external_document_loader_headers | dictionary | {} | EXTERNAL_DOCUMENT_LOADER_HEADERS | secret
rag.external_document_loader_url | string | "" | EXTERNAL_DOCUMENT_LOADER_URL
rag.external_reranker_api_key | string | "" | RAG_EXTERNAL_RERANKER_API_KEY | secret
rag.external_reranker_timeout | string | "" | RAG_EXTERNAL_RERANKER_TIMEOUT
rag.external_reranker_url | string | "" | RAG_EXTERNAL_RERANKER_URL
rag.file.allowed_extensions | list | [] | RAG_ALLOWED_FILE_EXTENSIONS
rag.file.max_count | integer/null | null | RAG_FILE_MAX_COUNT
rag.file.max_size | integer/null | null | RAG_FILE_MAX_SIZE
rag.full_context | boolean | false | RAG_FULL_CONTEXT
rag.hybrid_bm25_weight | number | 0.5 | RAG_HYBRID_BM25_WEIGHT
rag.mineru_api_key | string | "" | MINERU_API_KEY | secret
rag.mineru_api_mode | string | "local" | MINERU_API_MODE
rag.mineru_api_timeout | integer/string | "300" | MINERU_API_TIMEOUT
rag.mineru_api_url | string | "http://localhost:8000" | MINERU_API_URL
rag.mineru_file_extensions | list | ["pdf"] | MINERU_FILE_EXTENSIONS
rag.mineru_params | dictionary | {} | MINERU_PARAMS
rag.mistral_ocr_api_base_url | string | "https://api.mistral.ai/v1" | MISTRAL_OCR_API_BASE_URL
rag.mistral_ocr_api_key | string | "" | MISTRAL_OCR_API_KEY | secret
rag.mistral_ocr_use_base64 | boolean | false | MISTRAL_OCR_USE_BASE64
rag.ollama.api_key | string | "" | RAG_OLLAMA_API_KEY | secret
rag.ollama.base_url | string | "http://localhost:11434" | RAG_OLLAMA_BASE_URL
rag.openai.api_base_url | string | "https://api.openai.com/v1" | RAG_OPENAI_API_BASE_URL
rag.openai.api_key | string | "" | RAG_OPENAI_API_KEY | secret
rag.paddleocr_vl_base_url | string | "http://localhost:8080" | PADDLEOCR_VL_BASE_URL
rag.paddleocr_vl_token | string | "" | PADDLEOCR_VL_TOKEN | secret
rag.pdf_extract_images | boolean | false | PDF_EXTRACT_IMAGES
rag.pdf_loader_mode | string | "page" | PDF_LOADER_MODE
rag.relevance_threshold | number | 0.0 | RAG_RELEVANCE_THRESHOLD
rag.reranking_batch_size | integer | 32 | RAG_RERANKING_BATCH_SIZE
rag.reranking_engine | string | "" | RAG_RERANKING_ENGINE
rag.reranking_model | string | "" | RAG_RERANKING_MODEL
rag.template | string | "sha256:54a0bc852a76ec9d" | RAG_TEMPLATE
rag.text_splitter | string | "" | RAG_TEXT_SPLITTER
rag.tika_server_url | string | "http://tika:9998" | TIKA_SERVER_URL
rag.tika_server_version | string | "3" | TIKA_SERVER_VERSION
rag.tiktoken_encoding_name | string | "cl100k_base" | TIKTOKEN_ENCODING_NAME
rag.tokenizer_model | string | "" | RAG_TOKENIZER_MODEL
rag.top_k | integer | 3 | RAG_TOP_K
rag.top_k_reranker | integer | 3 | RAG_TOP_K_RERANKER
rag.youtube_loader_language | list | ["en"] | YOUTUBE_LOADER_LANGUAGE
rag.youtube_loader_proxy_url | string | "" | YOUTUBE_LOADER_PROXY_URL
skills.content_max_chars | integer/null | null | SKILL_CONTENT_MAX_CHARS
skills.lazy_loading.enable | boolean | false | ENABLE_SKILL_LAZY_LOADING
skills.preview_max_chars | integer/null | null | SKILL_PREVIEW_MAX_CHARS
subagents.background_enabled | boolean | false | SUBAGENTS_BACKGROUND_ENABLED
subagents.enable | boolean | false | ENABLE_SUBAGENTS
subagents.max_async | integer | 20 | SUBAGENTS_MAX_ASYNC
subagents.max_concurrent | integer | 20 | SUBAGENTS_MAX_CONCURRENT
subagents.max_iterations | integer | 30 | SUBAGENTS_MAX_ITERATIONS
subagents.max_output | integer | 30000 | SUBAGENTS_MAX_OUTPUT
subagents.system_prompt | string | "" | SUBAGENTS_SYSTEM_PROMPT
task.autocomplete.enable | boolean | false | ENABLE_AUTOCOMPLETE_GENERATION
task.autocomplete.input_max_length | integer/null | -1 | AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH
task.autocomplete.prompt_template | string | "" | AUTOCOMPLETE_GENERATION_PROMPT_TEMPLATE
task.follow_up.enable | boolean | true | ENABLE_FOLLOW_UP_GENERATION
task.follow_up.prompt_template | string | "" | FOLLOW_UP_GENERATION_PROMPT_TEMPLATE
task.image.prompt_template | string | "" | IMAGE_PROMPT_GENERATION_PROMPT_TEMPLATE
task.model.default | string | "" | TASK_MODEL
task.model.external | string | "" | TASK_MODEL_EXTERNAL
task.model.params | dictionary | {} | TASK_MODEL_PARAMS
task.query.prompt_template | string | "" | QUERY_GENERATION_PROMPT_TEMPLATE
task.query.retrieval.enable | boolean | true | ENABLE_RETRIEVAL_QUERY_GENERATION
task.query.search.enable | boolean | true | ENABLE_SEARCH_QUERY_GENERATION
task.tags.enable | boolean | true | ENABLE_TAGS_GENERATION
task.tags.prompt_template | string | "" | TAGS_GENERATION_PROMPT_TEMPLATE
task.title.enable | boolean | true | ENABLE_TITLE_GENERATION
task.title.prompt_template | string | "" | TITLE_GENERATION_PROMPT_TEMPLATE
task.tools.prompt_template | string | "" | TOOLS_FUNCTION_CALLING_PROMPT_TEMPLATE
task.voice.prompt.enable | boolean | true | ENABLE_VOICE_MODE_PROMPT
task.voice.prompt_template | string | "" | VOICE_MODE_PROMPT_TEMPLATE
terminal_server.connections | list | [] | TERMINAL_SERVER_CONNECTIONS
tool_server.connections | list | [] | TOOL_SERVER_CONNECTIONS
ui.banners | list | [] | WEBUI_BANNERS
ui.default_group_id | string | "" | DEFAULT_GROUP_ID
ui.default_interface_settings | dictionary | {} | DEFAULT_INTERFACE_SETTINGS
ui.default_locale | string | "" | DEFAULT_LOCALE | environment
ui.default_models | string | null | DEFAULT_MODELS
ui.default_pinned_models | string | null | DEFAULT_PINNED_MODELS
ui.default_user_role | string | "pending" | DEFAULT_USER_ROLE
ui.enable_community_sharing | boolean | true | ENABLE_COMMUNITY_SHARING
ui.enable_login_form | boolean | true | ENABLE_LOGIN_FORM
ui.enable_message_rating | boolean | true | ENABLE_MESSAGE_RATING
ui.enable_password_change_form | boolean | true | ENABLE_PASSWORD_CHANGE_FORM
ui.enable_signup | boolean | true | ENABLE_SIGNUP
ui.enable_user_webhooks | boolean | false | ENABLE_USER_WEBHOOKS
ui.i18n | dictionary | {}
ui.model_order_list | list | [] | MODEL_ORDER_LIST
ui.pending_user_overlay_content | string | "" | PENDING_USER_OVERLAY_CONTENT
ui.pending_user_overlay_title | string | "" | PENDING_USER_OVERLAY_TITLE
ui.prompt_suggestions | list | null | DEFAULT_PROMPT_SUGGESTIONS
ui.prompt_suggestions_i18n | dictionary | {}
ui.visibility | dictionary | {} | UI_VISIBILITY
ui.watermark | string | "" | RESPONSE_WATERMARK
user.permissions | dictionary | "sha256:3c0631aeed8e844c" | USER_PERMISSIONS_* | group
users.enable_status | boolean | true | ENABLE_USER_STATUS
web.fetch.max_content_length | integer/null | null | WEB_FETCH_MAX_CONTENT_LENGTH
web.loader.concurrent_requests | integer/null | 10 | WEB_LOADER_CONCURRENT_REQUESTS
web.loader.engine | string | "" | WEB_LOADER_ENGINE
web.loader.external_web_loader_api_key | string | "" | EXTERNAL_WEB_LOADER_API_KEY | secret
web.loader.external_web_loader_url | string | "" | EXTERNAL_WEB_LOADER_URL
web.loader.firecrawl_api_key | string | "" | FIRECRAWL_API_KEY | secret
web.loader.firecrawl_api_url | string | "https://api.firecrawl.dev" | FIRECRAWL_API_BASE_URL
web.loader.firecrawl_timeout | string | "" | FIRECRAWL_TIMEOUT
web.loader.playwright_timeout | integer/null | 10000 | PLAYWRIGHT_TIMEOUT
web.loader.playwright_ws_url | string | "" | PLAYWRIGHT_WS_URL
web.loader.ssl_verification | boolean | true | ENABLE_WEB_LOADER_SSL_VERIFICATION
web.loader.timeout | string | "" | WEB_LOADER_TIMEOUT
web.search.azure_ai_search_api_key | string | "" | AZURE_AI_SEARCH_API_KEY | secret
web.search.azure_ai_search_endpoint | string | "" | AZURE_AI_SEARCH_ENDPOINT
web.search.azure_ai_search_index_name | string | "" | AZURE_AI_SEARCH_INDEX_NAME
web.search.bing_search_v7_endpoint | string | "https://api.bing.microsoft.com/v7.0/search" | BING_SEARCH_V7_ENDPOINT
web.search.bing_search_v7_subscription_key | string | "" | BING_SEARCH_V7_SUBSCRIPTION_KEY | secret
web.search.bocha_search_api_key | string | "" | BOCHA_SEARCH_API_KEY | secret
web.search.brave_search_api_key | string | "" | BRAVE_SEARCH_API_KEY | secret
web.search.brave_search_context_tokens | integer | 8192 | BRAVE_SEARCH_CONTEXT_TOKENS
web.search.bypass_embedding_and_retrieval | boolean | false | BYPASS_WEB_SEARCH_EMBEDDING_AND_RETRIEVAL
web.search.bypass_web_loader | boolean | false | BYPASS_WEB_SEARCH_WEB_LOADER
web.search.concurrent_requests | integer/null | 0 | WEB_SEARCH_CONCURRENT_REQUESTS
web.search.confirmation.content | string | "Your query will be sent to the configured web search provider." | WEB_SEARCH_CONFIRMATION_CONTENT
web.search.confirmation.enable | boolean | false | ENABLE_WEB_SEARCH_CONFIRMATION
web.search.ddgs_backend | string | "auto" | DDGS_BACKEND
web.search.domain.filter_list | list | [] | WEB_SEARCH_DOMAIN_FILTER_LIST
web.search.enable | boolean | false | ENABLE_WEB_SEARCH
web.search.engine | string | "" | WEB_SEARCH_ENGINE
web.search.exa_api_key | string | "" | EXA_API_KEY | secret
web.search.exa_max_content_length | integer/null | null | EXA_MAX_CONTENT_LENGTH
web.search.external_web_search_api_key | string | "" | EXTERNAL_WEB_SEARCH_API_KEY | secret
web.search.external_web_search_url | string | "" | EXTERNAL_WEB_SEARCH_URL
web.search.google_pse_api_key | string | "" | GOOGLE_PSE_API_KEY | secret
web.search.google_pse_engine_id | string | "" | GOOGLE_PSE_ENGINE_ID
web.search.jina_api_base_url | string | "" | JINA_API_BASE_URL
web.search.jina_api_key | string | "" | JINA_API_KEY | secret
web.search.kagi_search_api_key | string | "" | KAGI_SEARCH_API_KEY | secret
web.search.linkup_api_key | string | "" | LINKUP_API_KEY | secret
web.search.linkup_search_params | dictionary | {} | LINKUP_SEARCH_PARAMS
web.search.microsoft_web_iq_api_base_url | string | "https://api.microsoft.ai/v3" | MICROSOFT_WEB_IQ_API_BASE_URL
web.search.microsoft_web_iq_api_key | string | "" | MICROSOFT_WEB_IQ_API_KEY | secret
web.search.microsoft_web_iq_language | string | "en" | MICROSOFT_WEB_IQ_LANGUAGE
web.search.mojeek_search_api_key | string | "" | MOJEEK_SEARCH_API_KEY | secret
web.search.ollama_cloud_api_key | string | "" | OLLAMA_CLOUD_API_KEY | secret
web.search.openserp_base_url | string | "http://localhost:7000" | OPENSERP_BASE_URL
web.search.perplexity_api_key | string | "" | PERPLEXITY_API_KEY | secret
web.search.perplexity_model | string | "sonar" | PERPLEXITY_MODEL
web.search.perplexity_search_api_url | string | "https://api.perplexity.ai/search" | PERPLEXITY_SEARCH_API_URL
web.search.perplexity_search_context_usage | string | "medium" | PERPLEXITY_SEARCH_CONTEXT_USAGE
web.search.result_count | integer/null | 3 | WEB_SEARCH_RESULT_COUNT
web.search.searchapi_api_key | string | "" | SEARCHAPI_API_KEY | secret
web.search.searchapi_engine | string | "" | SEARCHAPI_ENGINE
web.search.searxng_language | string | "all" | SEARXNG_LANGUAGE
web.search.searxng_query_url | string | "" | SEARXNG_QUERY_URL
web.search.serpapi_api_key | string | "" | SERPAPI_API_KEY | secret
web.search.serpapi_engine | string | "" | SERPAPI_ENGINE
web.search.serper_api_key | string | "" | SERPER_API_KEY | secret
web.search.serphouse_api_key | string | "" | SERPHOUSE_API_KEY | secret
web.search.serphouse_domain | string | "google.com" | SERPHOUSE_DOMAIN
web.search.serply_api_key | string | "" | SERPLY_API_KEY | secret
web.search.serpstack_api_key | string | "" | SERPSTACK_API_KEY | secret
web.search.serpstack_https | boolean | true | SERPSTACK_HTTPS
web.search.sougou_api_sid | string | "" | SOUGOU_API_SID | secret
web.search.sougou_api_sk | string | "" | SOUGOU_API_SK | secret
web.search.staan_api_key | string | "" | STAAN_API_KEY | secret
web.search.staan_market | string | "en-us" | STAAN_MARKET
web.search.staan_max_snippets | integer/null | 0 | STAAN_MAX_SNIPPETS
web.search.tavily_api_key | string | "" | TAVILY_API_KEY | secret
web.search.tavily_extract_depth | string | "basic" | TAVILY_EXTRACT_DEPTH
web.search.tavily_search_depth | string | "basic" | TAVILY_SEARCH_DEPTH
web.search.trust_env | boolean | true | WEB_SEARCH_TRUST_ENV
web.search.yacy_password | string | "" | YACY_PASSWORD | secret
web.search.yacy_query_url | string | "" | YACY_QUERY_URL
web.search.yacy_username | string | "" | YACY_USERNAME
web.search.yandex_web_search_api_key | string | "" | YANDEX_WEB_SEARCH_API_KEY | secret
web.search.yandex_web_search_config | string | "" | YANDEX_WEB_SEARCH_CONFIG
web.search.yandex_web_search_url | string | "" | YANDEX_WEB_SEARCH_URL
web.search.youcom_api_key | string | "" | YOUCOM_API_KEY YDC_API_KEY | secret
webhook_url | string | "" | WEBHOOK_URL | secret
webui.url | string | "" | WEBUI_URL
"""  # noqa: E501


class Setting(t.NamedTuple):
    """A line of the table."""

    types: tuple[str, ...]
    default: t.Any
    variables: tuple[str, ...]
    marks: tuple[str, ...]

    def is_default(self, value: t.Any) -> bool:
        """Whether the program starts with this value where its environment says nothing."""
        return self.default in (value, digest(value))


def digest(value: t.Any) -> str:
    """How the table gives a long default."""
    return f"sha256:{hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]}"


def _parsed(line: str) -> tuple[str, Setting]:
    name, types, default, *rest = (cell.strip() for cell in line.split("|"))
    variables, marks, *_more = (*rest, "", "")
    return name, Setting(
        tuple(types.split("/")),
        json.loads(default),
        tuple(variables.split()),
        tuple(marks.split()),
    )


SETTINGS = dict(_parsed(line) for line in TABLE.strip().splitlines())
_PARTS = [name.split(".") for name in SETTINGS]
SECTIONS = {".".join(parts[:depth]) for parts in _PARTS for depth in range(1, len(parts))}
