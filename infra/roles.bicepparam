// The lists come from the environment: what `azd env set` holds, or what you export yourself (docs/deploy.md).
using 'roles.bicep'

param principalId = readEnvironmentVariable('MONITOR_IDENTITY_PRINCIPAL_ID')
param registryIds = split(readEnvironmentVariable('MONITORED_REGISTRIES'), ',')
param repositoryPermissionRegistryIds = split(readEnvironmentVariable('REPOSITORY_PERMISSION_REGISTRIES', ''), ',')
param containerIds = split(readEnvironmentVariable('TRANSFER_CONTAINERS', ''), ',')
param storageAccountIds = split(readEnvironmentVariable('STORAGE_ACCOUNTS', ''), ',')
param vaultIds = split(readEnvironmentVariable('KEY_VAULTS', ''), ',')
param secretIds = split(readEnvironmentVariable('TRANSFER_SECRETS', ''), ',')
param sasInspection = readEnvironmentVariable('SAS_INSPECTION', 'metadata')
