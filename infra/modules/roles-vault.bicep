// The monitor's roles on one key vault and, if the settings ask for it, on single secrets.
targetScope = 'resourceGroup'

@description('Name of the key vault.')
param vaultName string

@description('Names of the secrets whose value may be read (SAS_INSPECTION=value); empty for none. Has an effect only where the vault uses roles, not access policies.')
param secretNames string[]

@description('Object id of the identity that is to read.')
param principalId string

@description('What the identity is.')
@allowed(['ServicePrincipal', 'Group', 'User'])
param principalType string

@description('Id of the role that reads settings.')
param readerRoleId string

var roles = loadJsonContent('../role-ids.json')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource secrets 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [
  for name in secretNames: {
    parent: vault
    name: name
  }
]

resource readsSettings 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, readerRoleId)
  scope: vault
  properties: {
    roleDefinitionId: readerRoleId
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: reads firewall, access policies, roles and the dates of secrets, never a value.'
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in secretNames: {
    name: guid(vault.id, name, principalId, roles.keyVaultSecretsUser.id)
    scope: secrets[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser.id)
      principalId: principalId
      principalType: principalType
      description: 'ACR Transfer Monitor: reads this SAS token to see its dates and rights (SAS_INSPECTION=value).'
    }
  }
]
